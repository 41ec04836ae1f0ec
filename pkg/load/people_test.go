package load_test

import (
	"strings"
	"testing"

	"matriq/pkg/load"
)

func TestReadPeople(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want int
	}{
		"lines":         {"a@x.th\nb@x.th\n", 2},
		"header":        {"email\na@x.th\n", 1},
		"among columns": {"\ufeffname, Email\nA,a@x.th\nB,b@x.th\nC\n", 2},
		"blank lines":   {"a@x.th\r\n\r\nb@x.th", 2},
		"nobody":        {"email\n", 0},
		"no addresses":  {"1,2\n", 0},
		"broken":        {"\"a@x.th\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := load.ReadPeople(strings.NewReader(test.text))
			if test.want == 0 {
				if err == nil {
					t.Errorf("read %d people", p.Len())
				}
				return
			}
			if err != nil || p.Len() != test.want {
				t.Errorf("read %+v, %v, want %d people", p, err, test.want)
			}
		})
	}
}

func TestFindCode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Verification code: 123456\nReference: ABCD":   "123456",
		"รหัสยืนยัน: 0012345678":                       "0012345678",
		`<td style="color:#123456">654321</td>`:        "654321",
		"&#123456; 12345 a123456 2026-11-21T00:00:00Z": "",
		"at .123456Z": "",
	} {
		if got := load.FindCode(text); got != want {
			t.Errorf("FindCode(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestNewJSONMailbox_Refuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "http://x/mails", "ftp://x/{address}", "{address}", "http://%zz/{address}"} {
		if _, err := load.NewJSONMailbox(url); err == nil {
			t.Errorf("%q is taken", url)
		}
	}
}

func TestNewSite_Refuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://u:s3cr%zz@x"} {
		if _, err := load.NewSite(url); err == nil || strings.Contains(err.Error(), "s3cr") {
			t.Errorf("NewSite(%q) = %v", url, err)
		}
	}
}
