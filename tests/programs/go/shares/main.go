// Five leaves burn known shares, reached through a ring of functions, on goroutines that are locked to threads
// so that the thread's CPU clock is theirs.
package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

//go:noinline
func burn_a(iterations uint64) uint64 { return burn(iterations) }

//go:noinline
func burn_b(iterations uint64) uint64 { return burn(iterations) }

//go:noinline
func burn_c(iterations uint64) uint64 { return burn(iterations) }

//go:noinline
func burn_d(iterations uint64) uint64 { return burn(iterations) }

//go:noinline
func burn_e(iterations uint64) uint64 { return burn(iterations) }

//go:noinline
func burn(iterations uint64) uint64 {
	x := iterations | 1
	for i := uint64(0); i < iterations; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

type leaf struct {
	name  string
	below float64
	run   func(uint64) uint64
}

var leaves = []leaf{
	{"burn_a", 0.50, burn_a}, {"burn_b", 0.75, burn_b}, {"burn_c", 0.90, burn_c}, {"burn_d", 0.97, burn_d}, {"burn_e", 1, burn_e},
}

type call struct {
	leaf       func(uint64) uint64
	iterations uint64
}

//go:noinline
func hop_0(c *call, left int) uint64 {
	if left > 1 {
		return hop_1(c, left-1) ^ 1
	}
	return c.leaf(c.iterations) ^ 1
}

//go:noinline
func hop_1(c *call, left int) uint64 {
	frame := [9]int{left}
	defer runtime.KeepAlive(&frame)
	if left > 1 {
		return hop_2(c, left-1) ^ 2
	}
	return c.leaf(c.iterations) ^ 2
}

//go:noinline
func hop_2(c *call, left int) uint64 {
	a, b, d := uint64(left), c.iterations, c.iterations*7
	if left > 1 {
		return hop_0(c, left-1) ^ a ^ b ^ d
	}
	return c.leaf(c.iterations) ^ a ^ b ^ d
}

const (
	processCPU = 2
	threadCPU  = 3
)

func clockNs(clock uintptr) uint64 {
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&t)), 0)
	return uint64(t.Sec)*1_000_000_000 + uint64(t.Nsec)
}

type random uint64

func (r *random) unit() float64 {
	x := uint64(*r)
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	*r = random(x)
	return float64(x>>11) / (1 << 53)
}

type options struct{ seconds, turnUs, threads, depth float64 }

func readOptions() options {
	o := options{seconds: 3600, turnUs: 5000, threads: 1, depth: 56}
	for i := 1; i+1 < len(os.Args); i += 2 {
		value, err := strconv.ParseFloat(os.Args[i+1], 64)
		if err != nil {
			panic(err)
		}
		switch os.Args[i] {
		case "--seconds":
			o.seconds = value
		case "--turn-us":
			o.turnUs = value
		case "--threads":
			o.threads = value
		case "--depth":
			o.depth = value
		default:
			panic("unknown option " + os.Args[i])
		}
	}
	return o
}

type account struct {
	cpuNs [5]uint64
	turns uint64
}

func (a *account) takeTurn(r *random, o options, iterationsPerUs float64) {
	at, index := r.unit(), 0
	for index < len(leaves)-1 && at >= leaves[index].below {
		index++
	}
	depth := 1 + int(r.unit()*o.depth)
	us := -o.turnUs * math.Log(1-r.unit())
	c := call{leaves[index].run, uint64(us * iterationsPerUs)}
	before := clockNs(threadCPU)
	sink.Add(hop_0(&c, depth))
	a.cpuNs[index] += clockNs(threadCPU) - before
	a.turns++
}

var (
	sink    atomic.Uint64
	stopped atomic.Bool
)

func work(seed uint64, o options, iterationsPerUs float64) (a account) {
	runtime.LockOSThread()
	r := random(seed | 1)
	deadline := time.Now().Add(time.Duration(o.seconds * 1e9))
	for !stopped.Load() && time.Now().Before(deadline) {
		a.takeTurn(&r, o, iterationsPerUs)
	}
	stopped.Store(true)
	return a
}

func main() {
	debug.SetGCPercent(-1)
	o := readOptions()
	before := clockNs(processCPU)
	sink.Add(burn(20_000_000))
	iterationsPerUs := 20_000_000 / (float64(clockNs(processCPU)-before) / 1000)
	input := bufio.NewReader(os.Stdin)
	fmt.Println("READY")
	if _, err := input.ReadString('\n'); err != nil {
		os.Exit(1)
	}
	asked := make(chan struct{})
	go func() {
		input.ReadString('\n')
		stopped.Store(true)
		close(asked)
	}()
	accounts := make([]account, int(o.threads))
	var group sync.WaitGroup
	for i := range accounts {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			accounts[i] = work(uint64(time.Now().UnixNano())+uint64(i)*7919, o, iterationsPerUs)
		}(i)
	}
	group.Wait()
	var total account
	for _, a := range accounts {
		total.turns += a.turns
		for leaf, ns := range a.cpuNs {
			total.cpuNs[leaf] += ns
		}
	}
	var shares []string
	for i, ns := range total.cpuNs {
		shares = append(shares, fmt.Sprintf("%q:%d", leaves[i].name, ns))
	}
	fmt.Printf("{\"turns\":%d,\"process_cpu_ns\":%d,\"cpu_ns\":{%s}}\n", total.turns, clockNs(processCPU), strings.Join(shares, ","))
	<-asked
	input.ReadString('\n')
}
