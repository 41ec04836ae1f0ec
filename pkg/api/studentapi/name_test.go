package studentapi_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"matriq/pkg/api/studentapi"
)

func TestName_Takes(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"สมชาย", "กุลธิดา", "น้ำฝน", "ปู่", "ดร.สมชาย", "ม.ร.ว.คึกฤทธิ์", "ณ อยุธยา",
		"Anne-Marie", "O'Brien", "O’Brien", "J.R.R. Tolkien", "Martin Luther King Jr.", "J.Smith",
		"José", "Nguyễn", "Иван", "李", "محمد", "X", strings.Repeat("a", 100), strings.Repeat("ก", 100),
	} {
		if got, err := studentapi.Name(name); err != nil || got != name {
			t.Errorf("Name(%q) = %q, %v", name, got, err)
		}
	}
}

func TestName_Refuses(t *testing.T) {
	t.Parallel()
	for what, name := range map[string]string{
		"empty":            "",
		"only a space":     " ",
		"only signs":       "-.'",
		"only a mark":      "\u0e31",
		"too long":         strings.Repeat("a", 101),
		"much too long":    strings.Repeat("a", 1<<20),
		"not UTF-8":        "a\xff",
		"digit":            "Anna2",
		"Thai digit":       "สมชาย๒",
		"line feed":        "Anna\nBcc: x",
		"carriage return":  "Anna\r",
		"NUL":              "An\x00na",
		"tab":              "An\tna",
		"bidi override":    "An\u202ena",
		"bidi isolate":     "An\u2066na",
		"zero width space": "An\u200bna",
		"line separator":   "An\u2028na",
		"markup":           "<b>Anna</b>",
		"formula":          "=SUM(A)",
		"at sign":          "anna@x",
		"scheme":           "http://x",
		"www":              "www.x",
		"WWW":              "Anna WWW.x",
		"domain":           "evil.com",
		"short domain":     "x.com",
		"domain in a word": "visit evil-site.example now",
		"Thai domain":      "ตัวอย่าง.ไทย",
		"emoji":            "Anna 🎓",
		"invisible letter": "\u3164",
		"invisible mark":   "An\u034fna",
		"variation":        "An\ufe0fna",
	} {
		got, err := studentapi.Name(name)
		if !errors.Is(err, studentapi.ErrName) || got != "" {
			t.Errorf("%s: Name = %q, %v, want ErrName", what, got, err)
		}
	}
}

// A decomposed name is the same name.
func TestName_ComposesWhatWasTyped(t *testing.T) {
	t.Parallel()
	if got, err := studentapi.Name("Jose\u0301"); err != nil || got != "José" {
		t.Errorf("Name = %q, %v", got, err)
	}
}

func FuzzName(f *testing.F) {
	for _, seed := range []string{"สมชาย", "O'Brien", "evil.com", "a\u0301\u0301", "\u212b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		name, err := studentapi.Name(typed)
		if err != nil {
			return
		}
		if n := utf8.RuneCountInString(name); n < 1 || n > studentapi.MaxName {
			t.Errorf("%q has %d characters", name, n)
		}
		if !norm.NFC.IsNormalString(name) {
			t.Errorf("%q is not in form C", name)
		}
		if again, err := studentapi.Name(name); err != nil || again != name {
			t.Errorf("Name(Name(%q)) = %q, %v", typed, again, err)
		}
	})
}
