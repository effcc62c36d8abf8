// Go and C in one executable, linked by the C linker.
package main

/*
static int square(int x) { return x * x; }
__attribute__((noinline)) int c_sum(int n) {
    int sum = 0;
    for (int i = 0; i < n; i++) sum += square(i);
    return sum;
}
*/
import "C"
import "fmt"

func twice(n int) int { return n * 2 }

func main() { fmt.Println(C.c_sum(C.int(twice(21)))) }
