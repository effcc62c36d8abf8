package main

import (
	"fmt"
	"os"
	"sort"
	"sync"
	"time"
)

func deep(n int) int {
	var frame [512]byte
	if n == 0 {
		return len(os.Args)
	}
	frame[n%512] = byte(n)
	return deep(n-1) + int(frame[0])
}

func main() {
	var wait sync.WaitGroup
	numbers := []int{3, 1, 2}
	wait.Add(1)
	go func() {
		defer wait.Done()
		sort.Ints(numbers)
	}()
	wait.Wait()
	fmt.Println(deep(100), numbers, time.Now().Year())
}
