package keyring_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"matriq/pkg/keyring"
)

func secret(t *testing.T) []byte {
	t.Helper()
	b := make([]byte, keyring.Size)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	t.Parallel()
	a, b := secret(t), secret(t)
	std, url := base64.StdEncoding.EncodeToString, base64.RawURLEncoding.EncodeToString
	for name, c := range map[string]struct {
		setting string
		ids     []string
		secrets [][]byte
	}{
		"bare":           {std(a), []string{"1"}, [][]byte{a}},
		"end of a file":  {std(a) + "\n", []string{"1"}, [][]byte{a}},
		"named":          {"k7:" + std(a), []string{"k7"}, [][]byte{a}},
		"url alphabet":   {"2:" + url(a), []string{"2"}, [][]byte{a}},
		"while rotating": {"2:" + std(b) + ", 1:" + std(a), []string{"2", "1"}, [][]byte{b, a}},
		"new and bare":   {"2:" + std(b) + "," + std(a), []string{"2", "1"}, [][]byte{b, a}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, err := keyring.Parse(c.setting)
			if err != nil || len(keys) != len(c.ids) {
				t.Fatalf("Parse: %v, %v", keys, err)
			}
			for i, key := range keys {
				if key.ID != c.ids[i] || !bytes.Equal(key.Secret[:], c.secrets[i]) {
					t.Errorf("key %d is %s, with the wrong kid or secret", i, key)
				}
			}
		})
	}
}

func TestParse_refuses(t *testing.T) {
	t.Parallel()
	good := base64.StdEncoding.EncodeToString(secret(t))
	std := base64.StdEncoding.EncodeToString
	for name, setting := range map[string]string{
		"nothing":      "",
		"space":        " \n",
		"all zero":     std(make([]byte, keyring.Size)),
		"one byte":     std(bytes.Repeat([]byte{0xa5}, keyring.Size)),
		"repeated":     std([]byte(strings.Repeat("secret__", 4))),
		"31 bytes":     std(secret(t)[:31]),
		"33 bytes":     std(append(secret(t), 1)),
		"no base64":    "1:not base64 at all!",
		"a word":       "devops101",
		"empty kid":    ":" + good,
		"long kid":     strings.Repeat("k", 17) + ":" + good,
		"dot in kid":   "a.b:" + good,
		"same kid":     good + "," + std(secret(t)),
		"three keys":   "1:" + good + ",2:" + good + ",3:" + good,
		"empty second": good + ",",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, err := keyring.Parse(setting)
			if !errors.Is(err, keyring.ErrInvalid) || keys != nil {
				t.Fatalf("Parse(%q) = %v, %v, want ErrInvalid", setting, keys, err)
			}
			if setting != "" && strings.Contains(err.Error(), good) {
				t.Errorf("the error repeats the key: %v", err)
			}
		})
	}
}

func TestKey_isNotPrinted(t *testing.T) {
	t.Parallel()
	s := secret(t)
	keys, err := keyring.Parse("k1:" + base64.StdEncoding.EncodeToString(s))
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, keys[0]); got != "key k1" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}
