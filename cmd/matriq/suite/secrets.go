package suite

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// secrets are made at the first start and kept with the data, so that codes and
// sealed envelopes outlive a restart.
type secrets struct {
	Pepper   string `json:"otp_pepper"`
	SealKey  string `json:"otp_seal_key"`
	ProofKey string `json:"otp_proof_key"`
}

// loadSecrets reads the secrets in dir, and makes and keeps those that are not
// there: all, or what a version before this did not have.
func loadSecrets(dir string) (secrets, error) {
	file := filepath.Join(dir, "secrets.json")
	s, err := readSecrets(file)
	if err != nil {
		return s, err
	}
	whole := secrets{
		Pepper: cmp.Or(s.Pepper, randomKey()), SealKey: cmp.Or(s.SealKey, randomKey()), ProofKey: cmp.Or(s.ProofKey, randomKey()),
	}
	if s == whole {
		return s, nil
	}
	data, err := json.Marshal(whole)
	if err != nil {
		return s, err
	}
	return whole, os.WriteFile(file, data, 0o600)
}

// readSecrets returns none where there is no file.
func readSecrets(file string) (secrets, error) {
	var s secrets
	data, err := os.ReadFile(file) //nolint:gosec // the data folder is the caller's
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%s: %w; remove the file to have new secrets", file, err)
	}
	return s, nil
}

func randomKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key)
}
