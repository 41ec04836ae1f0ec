package e2e_test

import (
	"slices"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"matriq/test/e2e/browser"
	"matriq/test/harness"
)

// focused tells which element has the focus: by its ID, else by what it says.
const focused = `((e) => e === document.body ? "" : e.id || e.innerText.trim())(document.activeElement)`

// seen is true when whoever looks can tell which element has the focus.
const seen = `((e) => {
	const style = getComputedStyle(e), box = e.getBoundingClientRect();
	return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 &&
		box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
})(document.activeElement)`

// tabs presses Tab until an element has the focus, and fails the test unless
// every stop on the way, and the last, shows that it has it. It returns the
// stops.
func (p *person) tabs(to string) (stops []string) {
	p.t.Helper()
	const most = 20
	for range most {
		p.must(p.b.Keys(kb.Tab))
		at := eval[string](p, focused)
		if at == "" {
			continue // between the last element and the first, the browser's own
		}
		stops = append(stops, at)
		if !eval[bool](p, seen) {
			p.t.Errorf("nobody sees that %q has the focus", at)
		}
		if at == to {
			return stops
		}
	}
	p.t.Fatalf("%d times Tab do not lead to %q, but to %q", most, to, stops)
	return nil
}

// A whole registration without a mouse. The order is that of reading.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	const email = "kanya@example.ac.th"
	suite := harness.StartUp(t, t.TempDir())
	p := newPerson(t, suite, browser.Options{Language: "th"})
	p.opens("/")
	if got, want := p.tabs("ขอรหัสยืนยัน"), []string{"ข้ามไปยังเนื้อหา", thai.site, "ไทย", "English", "email", "ขอรหัสยืนยัน"}; !slices.Equal(got, want) {
		t.Errorf("Tab leads to %q, want %q", got, want)
	}
	p.tabs("English")
	p.must(p.b.KeysToPage(kb.Enter))
	p.reads(english, "/", english.start)

	// The first link leads past the head of the page.
	p.tabs("Skip to content")
	p.must(p.b.Keys(kb.Enter))
	p.is("focus", "main", focused)
	p.tabs("email")
	p.must(p.b.Keys(email))
	p.must(p.b.KeysToPage(kb.Enter))

	// The field for the code has the focus already.
	p.sees("/authen", email)
	p.is("focus", "otp", focused)
	p.must(p.b.Keys(suite.Code(t, email)))
	p.tabs("Confirm")
	p.must(p.b.KeysToPage(" "))

	p.sees("/reg", email)
	p.tabs("firstname")
	p.must(p.b.Keys("Kanya"))
	if got, want := p.tabs("Register"), []string{"lastname", "Register"}; !slices.Equal(got, want) {
		t.Errorf("Tab leads to %q, want %q", got, want)
	}
	p.must(p.b.KeysToPage(kb.Enter)) // without a last name
	p.sees("/reg", "Enter your last name")
	p.is("focus", "lastname", focused)
	p.must(p.b.Keys("Jaidee"))
	p.must(p.b.KeysToPage(kb.Enter))

	p.sees("/done", "Kanya", "Jaidee")
	p.tabs("Finish")
	p.noFaults()
}
