package address_test

import (
	"errors"
	"strings"
	"testing"

	"matriq/pkg/address"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 60)
	long := strings.Repeat("l", 64) + "@" + label + "." + label + "." + label + ".th"
	if len(long) != 64+1+183+2 {
		t.Fatalf("the long address has %d octets", len(long))
	}
	for name, c := range map[string]struct{ typed, want string }{
		"plain":                {"a@x.th", "a@x.th"},
		"space around":         {"  a@x.th\t", "a@x.th"},
		"end of a line":        {"a@x.th\r\n", "a@x.th"},
		"no-break space":       {"\u00a0a@x.th\u00a0", "a@x.th"},
		"case":                 {"Somchai.J@KU.AC.TH", "somchai.j@ku.ac.th"},
		"plus tag":             {"a+Exam@x.th", "a+exam@x.th"},
		"every allowed sign":   {"!#$%&'*+-/=?^_`{|}~@x.th", "!#$%&'*+-/=?^_`{|}~@x.th"},
		"dots":                 {"a.b.c@x.th", "a.b.c@x.th"},
		"64 before the @":      {strings.Repeat("a", 64) + "@x.th", strings.Repeat("a", 64) + "@x.th"},
		"254 octets":           {long + "aily", long + "aily"},
		"thai domain":          {"a@ไทย.ไทย", "a@xn--o3cw4h.xn--o3cw4h"},
		"a-label":              {"a@XN--O3CW4H.xn--o3cw4h", "a@xn--o3cw4h.xn--o3cw4h"},
		"nfc domain":           {"a@caf\u00e9.th", "a@xn--caf-dma.th"},
		"nfd domain":           {"a@cafe\u0301.th", "a@xn--caf-dma.th"},
		"upper-case umlaut":    {"a@BÜCHER.de", "a@xn--bcher-kva.de"},
		"sharp s stays":        {"a@straße.de", "a@xn--strae-oqa.de"},
		"kelvin in the domain": {"a@\u212au.ac.th", "a@ku.ac.th"},
		"full-width domain":    {"a@ｋｕ．ac．th", "a@ku.ac.th"},
		"hyphen":               {"a@a-b.th", "a@a-b.th"},
		"digits in the domain": {"a@163.com", "a@163.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := address.Canonical(c.typed)
			if err != nil || got != c.want {
				t.Errorf("Canonical(%q) = %q, %v, want %q", c.typed, got, err, c.want)
			}
		})
	}
}

func TestCanonical_refuses(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 60)
	for name, typed := range map[string]string{
		"nothing":                     "",
		"space alone":                 " \t\r\n",
		"no @":                        "a.x.th",
		"two @":                       "a@b@x.th",
		"no local part":               "@x.th",
		"no domain":                   "a@",
		"one label":                   "a@localhost",
		"root dot":                    "a@x.th.",
		"leading dot":                 ".a@x.th",
		"trailing dot":                "a.@x.th",
		"two dots":                    "a..b@x.th",
		"empty label":                 "a@x..th",
		"leading dot of the domain":   "a@.x.th",
		"65 before the @":             strings.Repeat("a", 65) + "@x.th",
		"255 octets":                  strings.Repeat("l", 64) + "@" + label + "." + label + "." + label + ".thailan",
		"64 in a label":               "a@" + strings.Repeat("a", 64) + ".th",
		"quotes":                      `"a"@x.th`,
		"quoted space":                `"a b"@x.th`,
		"display name":                "Somchai <a@x.th>",
		"angle brackets":              "<a@x.th>",
		"comment":                     "a(comment)@x.th",
		"comment in the domain":       "a@(comment)x.th",
		"ipv4 literal":                "a@[127.0.0.1]",
		"ipv6 literal":                "a@[IPv6:::1]",
		"bare ipv4":                   "a@127.0.0.1",
		"numeric top level":           "a@x.123",
		"hexadecimal top level":       "a@x.0x7f",
		"space inside":                "a b@x.th",
		"space in the domain":         "a@x .th",
		"comma":                       "a@x.th,b@x.th",
		"semicolon":                   "a@x.th;b@x.th",
		"colon":                       "group:a@x.th",
		"backslash":                   `a\b@x.th`,
		"nul":                         "a\x00@x.th",
		"nul at the end":              "a@x.th\x00",
		"delete":                      "a\x7f@x.th",
		"tab inside":                  "a\tb@x.th",
		"header after crlf":           "a@x.th\r\nBcc: b@x.th",
		"lone cr":                     "a\r@x.th",
		"lone lf":                     "a\n@x.th",
		"lf in the domain":            "a@x\n.th",
		"folded":                      "a@x.th\r\n b@x.th",
		"next line":                   "a@x.th\u0085",
		"c1 control":                  "a\u009b@x.th",
		"line separator":              "a\u2028b@x.th",
		"line separator at the end":   "a@x.th\u2028",
		"paragraph separator":         "a@x.th\u2029",
		"right-to-left override":      "a\u202eb@x.th",
		"override in the domain":      "a@x\u202e.th",
		"isolate":                     "\u2066a@x.th\u2069",
		"left-to-right mark":          "a\u200e@x.th",
		"zero-width space":            "a\u200b@x.th",
		"zero-width in the domain":    "a@x\u200by.th",
		"byte order mark":             "\ufeffa@x.th",
		"soft hyphen in the domain":   "a@x\u00ady.th",
		"variation selector":          "a@x\ufe0f.th",
		"grapheme joiner":             "a@x\u034fy.th",
		"joiner without its script":   "a@x\u200dy.th",
		"ideographic space":           "a@x.th\u3000",
		"kelvin sign":                 "\u212aelvin@x.th",
		"long s":                      "\u017fomchai@x.th",
		"thai local part":             "สมชาย@x.th",
		"accented local part":         "andr\u00e9@x.th",
		"cyrillic look-alike":         "\u0430@x.th",
		"full-width at":               "a\uff20x.th",
		"small at in the domain":      "a@x\ufe6by.th",
		"at out of a full-width sign": "a@x\uff20y.th",
		"sign that maps to a slash":   "a@\u2100.th",
		"underscore in the domain":    "a@x_y.th",
		"hyphen first":                "a@-x.th",
		"hyphen last":                 "a@x-.th",
		"hyphens third and fourth":    "a@ab--c.th",
		"broken a-label":              "a@xn--0.th",
		"a-label of ascii":            "a@xn--abc-.th",
		"mixed directions":            "a@\u05d0b.th",
		"combining mark first":        "a@\u0301x.th",
		"emoji":                       "a@\U0001f600.th",
		"not utf-8":                   "a\xff@x.th",
		"surrogate bytes":             "a@\xed\xa0\x80.th",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := address.Canonical(typed)
			if !errors.Is(err, address.ErrInvalid) {
				t.Fatalf("Canonical(%q) = %q, %v, want ErrInvalid", typed, got, err)
			}
			if got != "" {
				t.Errorf("Canonical(%q) = %q beside its error", typed, got)
			}
			if err.Error() == address.ErrInvalid.Error() {
				t.Errorf("Canonical(%q) does not say which rule was broken", typed)
			}
			if _, err := address.Mailbox(typed); !errors.Is(err, address.ErrInvalid) {
				t.Errorf("Mailbox(%q) = %v, want ErrInvalid", typed, err)
			}
		})
	}
}

// Two people never share a canonical form by an accident of Unicode.
func TestCanonical_keepsApart(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, typed := range []string{
		"a@x.th", "a+b@x.th", "a.b@x.th", "ab@x.th", "a@y.x.th", "a@x.co.th",
		"a@cafe.th", "a@café.th", "a@strasse.de", "a@straße.de",
	} {
		got, err := address.Canonical(typed)
		if err != nil {
			t.Fatalf("Canonical(%q): %v", typed, err)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q are both %q", typed, other, got)
		}
		seen[got] = typed
	}
}

func TestMailbox(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		" Somchai.J@KU.ac.th\r\n": "Somchai.J@KU.ac.th",
		"A@ไทย.ไทย":               "A@xn--o3cw4h.xn--o3cw4h",
		"\u00a0A@x.th":            "A@x.th",
	} {
		if got, err := address.Mailbox(typed); err != nil || got != want {
			t.Errorf("Mailbox(%q) = %q, %v, want %q", typed, got, err, want)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"Somchai.J@KU.ac.th":     "s…@ku.ac.th",
		"a@x.th":                 "…@x.th",
		"not an address":         "…",
		"a@x.th\r\nBcc: b@x.th":  "…",
		"":                       "…",
		"123456":                 "…",
		"a secret\u2028@x.th":    "…",
		"somchai+exam@sub.ku.th": "s…@sub.ku.th",
	} {
		if got := address.Mask(typed); got != want {
			t.Errorf("Mask(%q) = %q, want %q", typed, got, want)
		}
	}
}
