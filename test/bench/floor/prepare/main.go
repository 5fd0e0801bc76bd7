// Command prepare is the least that a driver in Go can do as its prepare stage.
package main

func main() {}
