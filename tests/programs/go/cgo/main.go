// Go that calls C, which calls Go again: stacks that go from the one to the other and back.
package main

/*
#include <stdint.h>

uint64_t backIntoGo(uint64_t);

static __attribute__((noinline)) uint64_t burn_in_c(uint64_t x)
{
	for (int i = 0; i < 200000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		__asm__ volatile("" : "+r"(x));
	}
	return x;
}

static __attribute__((noinline)) uint64_t through_c(uint64_t x)
{
	return burn_in_c(x) + backIntoGo(x);
}
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
)

//go:noinline
func burnInGo(x uint64) uint64 {
	for i := 0; i < 200000; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

//export backIntoGo
func backIntoGo(x C.uint64_t) C.uint64_t {
	return C.uint64_t(burnInGo(uint64(x)))
}

func main() {
	input := bufio.NewReader(os.Stdin)
	fmt.Println("READY")
	if _, err := input.ReadString('\n'); err != nil {
		os.Exit(1)
	}
	stopped := make(chan struct{})
	go func() {
		input.ReadString('\n')
		close(stopped)
	}()
	for x := uint64(1); ; {
		select {
		case <-stopped:
			return
		default:
			x += uint64(C.through_c(C.uint64_t(x)))
		}
	}
}
