// Times how long Go's crypto/x509 takes to build and check one chain, on one core.
//
// Usage: crypto-x509 VECTOR.json MILLISECONDS. Prints microseconds of processor time per call, as JSON.
package main

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// Vector is one chain; byte fields are base64 in the file.
type Vector struct {
	Leaf          []byte    `json:"leaf"`
	Intermediates [][]byte  `json:"intermediates"`
	Root          []byte    `json:"root"`
	Now           time.Time `json:"now"`
}

var subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

func parseLeaf(der []byte) (*x509.Certificate, error) {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	// EK certificates have a directory name there. crypto/x509 does not handle it, and would refuse the certificate.
	var unhandled []asn1.ObjectIdentifier
	for _, oid := range leaf.UnhandledCriticalExtensions {
		if !oid.Equal(subjectAltName) {
			unhandled = append(unhandled, oid)
		}
	}
	leaf.UnhandledCriticalExtensions = unhandled
	return leaf, nil
}

func pool(certificates ...[]byte) (*x509.CertPool, error) {
	made := x509.NewCertPool()
	for _, der := range certificates {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		made.AddCert(certificate)
	}
	return made, nil
}

// options parses the CAs.
func options(v *Vector) (x509.VerifyOptions, error) {
	roots, err := pool(v.Root)
	if err != nil {
		return x509.VerifyOptions{}, err
	}
	intermediates, err := pool(v.Intermediates...)
	return x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		CurrentTime:   v.Now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}, err
}

func verify(leaf *x509.Certificate, options x509.VerifyOptions, length int) error {
	chains, err := leaf.Verify(options)
	if err == nil && len(chains[0]) != length {
		err = fmt.Errorf("a chain of %d certificates", len(chains[0]))
	}
	return err
}

// perCall runs the action for about this duration and returns microseconds of processor time for one call.
func perCall(duration time.Duration, action func() error) (float64, error) {
	for range 20 {
		if err := action(); err != nil {
			return 0, err
		}
	}
	runtime.GC()
	start, before, calls := time.Now(), processorTime(), 0
	for calls == 0 || time.Since(start) < duration {
		if err := action(); err != nil {
			return 0, err
		}
		calls++
	}
	return float64((processorTime() - before).Nanoseconds()) / 1000 / float64(calls), nil
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
	length := len(v.Intermediates) + 2
	loaded, err := options(&v)
	if err != nil {
		return err
	}
	parsed, err := parseLeaf(v.Leaf)
	if err != nil {
		return err
	}
	fresh := func(authorities func() (x509.VerifyOptions, error)) func() error {
		return func() error {
			leaf, err := parseLeaf(v.Leaf)
			if err != nil {
				return err
			}
			options, err := authorities()
			if err != nil {
				return err
			}
			return verify(leaf, options, length)
		}
	}
	actions := map[string]func() error{
		"cold":   fresh(func() (x509.VerifyOptions, error) { return options(&v) }),
		"loaded": fresh(func() (x509.VerifyOptions, error) { return loaded, nil }),
		"parsed": func() error { return verify(parsed, loaded, length) },
	}
	figures := map[string]float64{}
	for name, action := range actions {
		if figures[name], err = perCall(time.Duration(number)*time.Millisecond, action); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(figures)
}

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: crypto-x509 VECTOR.json MILLISECONDS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
