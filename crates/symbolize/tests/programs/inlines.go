// Inlined calls, generics, closures, methods and goroutines.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
)

type point struct{ X, Y int }

func (p point) add(q point) point   { return point{p.X + q.X, p.Y + q.Y} }
func (p *point) scale(by int)       { p.X *= by; p.Y *= by }
func double(p point) point          { return p.add(p) }
func quadruple(p point) point       { return double(double(p)) }

//go:noinline
func apply[T any](items []T, f func(T) T) []T {
	out := make([]T, 0, len(items))
	for _, item := range items {
		out = append(out, f(item))
	}
	return out
}

//go:noinline
func work(points []point) int {
	sum := 0
	for i := range points {
		q := quadruple(points[i])
		q.scale(i)
		sum += q.X - q.Y
	}
	return sum
}

func main() {
	points := make([]point, 0, 100)
	for i := 0; i < 100; i++ {
		points = append(points, point{i, i * i})
	}
	points = apply(points, func(p point) point { return p.add(point{1, 2}) })
	names := apply(strings.Fields("a b c"), strings.ToUpper)
	sort.Slice(points, func(i, j int) bool { return points[i].X > points[j].X })
	done := make(chan int)
	go func() { done <- work(points) }()
	encoded, err := json.Marshal(map[string]any{"points": points, "names": names})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Println(<-done, len(encoded))
}
