// A web server as people write them: routing, JSON, a little work. Prints READY and its address.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sort"
	"strconv"
)

type item struct {
	ID    int      `json:"id"`
	Name  string   `json:"name"`
	Price float64  `json:"price"`
	Tags  []string `json:"tags"`
}

func items(count int) []item {
	list := make([]item, count)
	for i := range list {
		list[i] = item{i, "item " + strconv.Itoa(count-i), float64(i) * 1.25, []string{"a", "b"}}
	}
	sort.Slice(list, func(a, b int) bool { return list[a].Name < list[b].Name })
	return list
}

func list(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(items(50)); err != nil {
		log.Print(err)
	}
}

func hello(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, "hello")
}

func main() {
	http.HandleFunc("/items", list)
	http.HandleFunc("/", hello)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(listener, nil)
	fmt.Println("READY", listener.Addr())
	bufio.NewReader(os.Stdin).ReadString('\n')
	os.Exit(0)
}
