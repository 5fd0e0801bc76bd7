package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

const (
	// calm is the share of the processors that must be idle while nothing is measured. With less,
	// others get in the way of what is measured, and a limit means nothing.
	calm = 0.85
	look = 500 * time.Millisecond // how long the processors are watched
)

// busy reports whether others use the processors of the machine, or of the host below it, while
// the bench does nothing.
func busy() bool {
	idle, all, err := processors()
	if err != nil {
		return false
	}
	time.Sleep(look)
	idleThen, allThen, err := processors()
	return err == nil && float64(idleThen-idle) < calm*float64(allThen-all)
}

// processors returns how long all processors were idle, and how long they were there, in ticks.
//
// https://docs.kernel.org/filesystems/proc.html#miscellaneous-kernel-statistics-in-proc-stat
func processors() (idle, all int64, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var user, nice, system, waiting, irq, softirq, steal int64
	if _, err := fmt.Sscanf(line, "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &waiting, &irq, &softirq, &steal); err != nil {
		return 0, 0, fmt.Errorf("/proc/stat: %w", err)
	}
	idle += waiting
	return idle, idle + user + nice + system + irq + softirq + steal, nil
}
