// Work that leaves the goroutine's stack: large allocations run on the system stack, growing stacks are copied there,
// and the garbage collector has goroutines of its own. All of it as the runtime does it by itself.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
)

var (
	sink    []byte
	total   atomic.Int64
	stopped atomic.Bool
)

//go:noinline
func allocateLarge() {
	for i := 0; i < 8; i++ {
		sink = make([]byte, 1<<20+i)
	}
}

//go:noinline
func grow(left int) int {
	var frame [256]int
	frame[left%256] = left
	if left == 0 {
		return frame[0]
	}
	return grow(left-1) + frame[left%256]
}

//go:noinline
func growStack() {
	done := make(chan struct{})
	go func() {
		total.Add(int64(grow(200)))
		close(done)
	}()
	<-done
}

//go:noinline
func burnInGoroutine() int {
	x := 88172645463325252
	for i := 0; i < 400_000; i++ {
		x ^= x << 13
		x ^= x >> 7
	}
	return x
}

func main() {
	input := bufio.NewReader(os.Stdin)
	fmt.Println("READY")
	if _, err := input.ReadString('\n'); err != nil {
		os.Exit(1)
	}
	go func() {
		input.ReadString('\n')
		stopped.Store(true)
	}()
	for !stopped.Load() {
		allocateLarge()
		growStack()
		total.Add(int64(burnInGoroutine()))
	}
	runtime.KeepAlive(sink)
}
