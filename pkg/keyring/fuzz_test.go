package keyring_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"matriq/pkg/keyring"
)

// FuzzParse: whatever a setting holds, it is refused as [keyring.ErrInvalid] or
// gives one or two keys of different names; neither the error nor what a key
// prints repeats a secret.
func FuzzParse(f *testing.F) {
	const good = "q0Zb4Vt0m1mYkR6b3c2oXk0i3J9y8QeTz7wUuPpLsDg="
	for _, seed := range []string{
		"", ",", ":", good, "k1:" + good, "k1:" + good + ",k2:" + strings.ToUpper(good), good + "," + good, "1:" + good + "\n", " k1 : " + good,
		"k1:" + strings.Repeat("A", 43) + "=", "k1:c2hvcnQ=", "k1:" + strings.ReplaceAll(good, "Q", "_"), "k1:\x00", strings.Repeat("a,", 1000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, setting string) {
		keys, err := keyring.Parse(setting)
		if err != nil {
			if !errors.Is(err, keyring.ErrInvalid) || keys != nil {
				t.Errorf("Parse(%q) = %v, %v", setting, keys, err)
			}
			for entry := range strings.SplitSeq(setting, ",") {
				if _, secret, _ := strings.Cut(entry, ":"); len(secret) >= keyring.Size && strings.Contains(err.Error(), secret) {
					t.Errorf("Parse(%q) = %v, which repeats the secret", setting, err)
				}
			}
			return
		}
		if len(keys) < 1 || len(keys) > 2 || len(keys) == 2 && keys[0].ID == keys[1].ID {
			t.Errorf("Parse(%q) = %v", setting, keys)
		}
		for _, key := range keys {
			if text := fmt.Sprintf("%v %+v %#v", key, key, key); strings.Contains(text, string(key.Secret[:])) || text != strings.Repeat("key "+key.ID+" ", 2)+"key "+key.ID {
				t.Errorf("a key of %q prints %q", setting, text)
			}
		}
	})
}
