package main

// int add(int, int);
import "C"

import "fmt"

//export called_back
func called_back(value C.int) C.int { return value * 2 }

func main() {
	fmt.Println(C.add(1, 2))
}
