package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"matriq/test/e2e/browser"
	"matriq/test/harness"
)

// narrow is the narrowest window that people are promised pages for.
const narrow = 320

// fits fails the test if the page has to be moved sideways to be read.
func (p *person) fits() {
	p.t.Helper()
	if width := eval[int](p, `document.documentElement.scrollWidth`); width > narrow {
		p.t.Errorf("%s is %d wide, want at most %d: %s", eval[string](p, `location.href`), width, narrow, eval[string](p, tooWide))
	}
}

// tooWide names the elements that stick out, or whose text does.
const tooWide = `[...document.querySelectorAll("body *")].
	map((e) => [e, e.getBoundingClientRect().left + Math.max(e.offsetWidth ?? 0, e.scrollWidth)]).
	filter(([, right]) => right > innerWidth).
	map(([e, right]) => e.tagName.toLowerCase() + "." + e.className + " to " + Math.round(right)).join(", ")`

// No page has to be moved sideways on the smallest phones, whatever people are
// called.
func TestLook_Narrow(t *testing.T) {
	t.Parallel()
	for _, tx := range []texts{thai, english} {
		t.Run(tx.language, func(t *testing.T) {
			t.Parallel()
			email := strings.Repeat("long", 15) + "@" + strings.Repeat("faculty", 7) + ".example.ac.th"
			first, last := strings.Repeat(tx.first, 10), strings.Repeat("Unbreakable", 9)
			list := filepath.Join(t.TempDir(), "list.txt")
			if err := os.WriteFile(list, []byte(email+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			suite := harness.StartUp(t, t.TempDir(), "--eligible", list)
			p := newPerson(t, suite, browser.Options{Language: tx.language, Width: narrow, Height: 568})
			p.opens("/")
			p.fits()
			p.types("email", "nobody")
			p.sends("email")
			p.sees("/start")
			p.fits()
			p.types("email", email)
			p.sends("email")
			p.sees("/authen", email)
			p.fits()
			code := suite.Code(t, email)
			p.types("otp", wrong(code))
			p.sends("otp")
			p.fits()
			p.types("otp", code)
			p.sends("otp")
			p.sees("/reg", email)
			p.fits()
			p.types("firstname", "1")
			p.types("lastname", "2")
			p.sends("lastname")
			p.sees("/reg")
			p.fits()
			p.types("firstname", first)
			p.types("lastname", last)
			p.sends("lastname")
			p.sees("/done", first, last)
			p.must(p.b.Wait(progress + ` === "yes yes yes"`))
			p.fits()
			p.noFaults()

			p.opens("/no/such/page")
			p.sees("/no/such/page")
			p.fits()
			p.must(p.b.Open(string(suite.Inbox) + "/?pause"))
			p.sees("/", email)
			p.fits()
			p.clicks("tbody a")
			p.sees("/message/2", email)
			p.fits()
		})
	}
}

// lightness of the page behind the text and of the text, 0 to 1.
const (
	groundLightness = `lightness(getComputedStyle(document.querySelector("main")).backgroundColor)`
	textLightness   = `lightness(getComputedStyle(document.querySelector("h1")).color)`
	withLightness   = `((lightness) => %)((color) => {
		const [r, g, b] = color.match(/[\d.]+/g).map(Number);
		return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
	})`
)

func lightness(p *person, what string) float64 {
	p.t.Helper()
	return eval[float64](p, strings.Replace(withLightness, "%", what, 1))
}

// Who prefers dark pages gets light text on a dark ground.
func TestLook_Dark(t *testing.T) {
	t.Parallel()
	suite := harness.StartUp(t, t.TempDir())
	for name, dark := range map[string]bool{"light": false, "dark": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, suite, browser.Options{Language: "en", Dark: dark})
			p.opens("/")
			ground, text := lightness(p, groundLightness), lightness(p, textLightness)
			if dark && (ground > 0.25 || text < 0.75) || !dark && (ground < 0.75 || text > 0.25) {
				t.Errorf("ground %.2f, text %.2f", ground, text)
			}
			p.noFaults()
		})
	}
}
