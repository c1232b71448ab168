module tpm-attestor/bench/crypto-x509

go 1.24.0
