// Times a verifier made of go-attestation and crypto/x509 on the evidence of one machine, on one core.
//
// Usage: go-attestation VECTOR.json MILLISECONDS. Prints microseconds of processor time per call, as JSON.
package main

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/google/go-attestation/attest"
	"github.com/google/go-tpm/legacy/tpm2"
	"github.com/google/go-tpm/legacy/tpm2/credactivation"
)

// Vector is one machine's evidence; byte fields are base64 in the file.
type Vector struct {
	Now          time.Time `json:"now"`
	Anchors      [][]byte  `json:"anchors"`
	Certificates [][]byte  `json:"certificates"`
	AKPublic     []byte    `json:"ak_public"`
	Quoted       []byte    `json:"quoted"`
	Signature    []byte    `json:"signature"`
	ExtraData    []byte    `json:"extra_data"`
	PCRValues    [][]byte  `json:"pcr_values"`
}

var (
	subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	ekCertificate  = asn1.ObjectIdentifier{2, 23, 133, 8, 1}
)

// certificate parses the sent certificates, checks the chain and returns the endorsement key.
func certificate(v *Vector, roots *x509.CertPool) (crypto.PublicKey, error) {
	leaf, err := x509.ParseCertificate(v.Certificates[0])
	if err != nil {
		return nil, err
	}
	intermediates := x509.NewCertPool()
	for _, der := range v.Certificates[1:] {
		intermediate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		intermediates.AddCert(intermediate)
	}
	// EK certificates have a directory name there. crypto/x509 does not handle it, and would refuse the certificate.
	var unhandled []asn1.ObjectIdentifier
	for _, oid := range leaf.UnhandledCriticalExtensions {
		if !oid.Equal(subjectAltName) {
			unhandled = append(unhandled, oid)
		}
	}
	leaf.UnhandledCriticalExtensions = unhandled
	options := x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		CurrentTime:   v.Now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	if _, err := leaf.Verify(options); err != nil {
		return nil, err
	}
	for _, oid := range leaf.UnknownExtKeyUsage {
		if oid.Equal(ekCertificate) {
			return leaf.PublicKey, nil
		}
	}
	return nil, errors.New("not an endorsement certificate")
}

// credential draws a secret and makes a credential with it. The function of package attest would also check the
// creation of the AK. A credential does not need that, and our verifier does not do it.
func credential(v *Vector, ek crypto.PublicKey) error {
	public, err := tpm2.DecodePublic(v.AKPublic)
	if err != nil {
		return err
	}
	name, err := public.Name()
	if err != nil {
		return err
	}
	secret, nonce := make([]byte, 32), make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	_, _, err = credactivation.Generate(name.Digest, ek, 16, secret)
	return err
}

func quote(v *Vector, pcrs []attest.PCR) error {
	ak, err := attest.ParseAKPublic(v.AKPublic)
	if err != nil {
		return err
	}
	return ak.Verify(attest.Quote{Quote: v.Quoted, Signature: v.Signature}, pcrs, v.ExtraData)
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
		for range 10 {
			if err := action(); err != nil {
				return 0, err
			}
		}
		calls += 10
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
	roots := x509.NewCertPool()
	for _, der := range v.Anchors {
		anchor, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		roots.AddCert(anchor)
	}
	pcrs := make([]attest.PCR, len(v.PCRValues))
	for i, value := range v.PCRValues {
		pcrs[i] = attest.PCR{Index: i, Digest: value, DigestAlg: crypto.SHA256}
	}
	verify := func() error {
		ek, err := certificate(&v, roots)
		if err != nil {
			return err
		}
		if err := credential(&v, ek); err != nil {
			return err
		}
		return quote(&v, pcrs)
	}
	figure, err := perCall(time.Duration(number)*time.Millisecond, verify)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{"first": figure})
}

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go-attestation VECTOR.json MILLISECONDS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
