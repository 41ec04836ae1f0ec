package suite

import (
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
	Pepper  string `json:"otp_pepper"`
	SealKey string `json:"otp_seal_key"`
}

// loadSecrets reads the secrets in dir, or makes and keeps them.
func loadSecrets(dir string) (secrets, error) {
	file := filepath.Join(dir, "secrets.json")
	var s secrets
	data, err := os.ReadFile(file) //nolint:gosec // the data folder is the caller's
	if errors.Is(err, fs.ErrNotExist) {
		s = secrets{Pepper: randomKey(), SealKey: randomKey()}
		data, err = json.Marshal(s)
		if err != nil {
			return s, err
		}
		return s, os.WriteFile(file, data, 0o600)
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
