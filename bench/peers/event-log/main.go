// Times what go-attestation takes to parse an event log and to replay it to PCR values, on one core.
//
// Usage: event-log VECTOR.json MILLISECONDS. Prints microseconds of processor time per call, as JSON.
package main

import (
	"crypto"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/google/go-attestation/attest"
)

// Vector is one log with SHA-256 PCR values, by index; byte fields are base64 in the file.
type Vector struct {
	Log       []byte   `json:"log"`
	PCRValues [][]byte `json:"pcr_values"`
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func run(path, milliseconds string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(milliseconds)
	if err != nil {
		return err
	}
	var v Vector
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	pcrs := make([]attest.PCR, len(v.PCRValues))
	for i, value := range v.PCRValues {
		pcrs[i] = attest.PCR{Index: i, Digest: value, DigestAlg: crypto.SHA256}
	}
	read := func() error {
		log, err := attest.ParseEventLog(v.Log)
		if err != nil {
			return err
		}
		_, err = log.Verify(pcrs)
		return err
	}
	for range 5 {
		if err := read(); err != nil {
			return err
		}
	}
	runtime.GC()
	start, before, calls := time.Now(), processorTime(), 0
	for calls == 0 || time.Since(start) < time.Duration(number)*time.Millisecond {
		if err := read(); err != nil {
			return err
		}
		calls++
	}
	figure := float64((processorTime() - before).Nanoseconds()) / 1000 / float64(calls)
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{"first": figure})
}

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: event-log VECTOR.json MILLISECONDS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
