// Command cleanup is the least that a driver in Go can do as its cleanup stage.
package main

func main() {}
