package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestASettingMayBeInAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte("amqp://a:b@c/d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("A_SETTING", "")
	t.Setenv("A_SETTING_FILE", file)
	if got, err := setting("A_SETTING"); got != "amqp://a:b@c/d" || err != nil {
		t.Errorf("setting = %q, %v; want what is in the file, without its newline", got, err)
	}
	t.Setenv("A_SETTING_FILE", file+".not")
	if _, err := setting("A_SETTING"); err == nil {
		t.Error("a file that is not there is no error")
	}
	t.Setenv("A_SETTING_FILE", "")
	t.Setenv("A_SETTING", "of the environment")
	if got, err := setting("A_SETTING"); got != "of the environment" || err != nil {
		t.Errorf("setting = %q, %v", got, err)
	}
}
