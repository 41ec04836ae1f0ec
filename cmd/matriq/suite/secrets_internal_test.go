package suite

import (
	"os"
	"path/filepath"
	"testing"
)

// Secrets stay what they are, and one that an earlier version did not have is made
// beside them.
func TestLoadSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	load := func() secrets {
		t.Helper()
		s, err := loadSecrets(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := load()
	if first.Pepper == "" || first.SealKey == "" || first.ProofKey == "" || first.Pepper == first.SealKey || first.SealKey == first.ProofKey {
		t.Errorf("new secrets: %v", first)
	}
	if again := load(); again != first {
		t.Error("the secrets are others at the second start")
	}
	file := filepath.Join(dir, "secrets.json")
	if err := os.WriteFile(file, []byte(`{"otp_pepper":"a","otp_seal_key":"b"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	updated := load()
	if updated.Pepper != "a" || updated.SealKey != "b" || updated.ProofKey == "" {
		t.Errorf("of an earlier version: %v", updated)
	}
	if again := load(); again != updated {
		t.Error("what was made beside them is not kept")
	}
	if err := os.WriteFile(file, []byte(`{`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadSecrets(dir); err == nil {
		t.Error("a file that cannot be read was replaced")
	}
}
