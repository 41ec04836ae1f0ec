package e2e_test

import (
	"strings"
	"testing"

	"matriq/pkg/mailsink"
	"matriq/test/e2e/browser"
	"matriq/test/harness"
)

// wrong is a code that is not code.
func wrong(code string) string {
	last := code[len(code)-1]
	return code[:len(code)-1] + string('0'+(last-'0'+1)%10)
}

// A wrong code is explained beside the field, which has the focus; how many
// tries are left is told.
func TestCode_Wrong(t *testing.T) {
	t.Parallel()
	const email = "anong@example.ac.th"
	suite := harness.StartUp(t, t.TempDir())
	p := newPerson(t, suite, browser.Options{Language: "en"})
	p.opens("/")
	p.types("email", email)
	p.sends("email")
	code := suite.Code(t, email)
	for _, left := range []string{"Tries left: 4.", "Tries left: 3."} {
		p.types("otp", wrong(code))
		p.sends("otp")
		p.sees("/authen")
		if got := p.text("#otp-error"); !strings.Contains(got, "not the right code") || !strings.Contains(got, left) {
			t.Errorf("at the field it says %q, want %q", got, left)
		}
		p.is("focus", "otp", `document.activeElement.id`)
		p.is("what was typed", "", `document.activeElement.value`)
		p.is("invalid", "true", `document.activeElement.ariaInvalid`)
		if by := eval[string](p, `document.activeElement.getAttribute("aria-describedby")`); !strings.Contains(by, "otp-error") {
			t.Errorf("the field is described by %q, not by its error", by)
		}
		if gap := eval[float64](p, `otp.getBoundingClientRect().top - document.querySelector("#otp-error").getBoundingClientRect().bottom`); gap < 0 || gap > 16 {
			t.Errorf("the error stands %v above its field", gap)
		}
		if title := eval[string](p, `document.title`); !strings.HasPrefix(title, "Error: ") {
			t.Errorf("the title %q does not tell of the error", title)
		}
	}
	p.types("otp", code)
	p.sends("otp")
	p.sees("/reg", email)
	p.noFaults()
}

// A code may be typed as a Thai keyboard types it, in groups.
func TestCode_ThaiDigitsAndSpaces(t *testing.T) {
	t.Parallel()
	const email = "wanida@example.ac.th"
	suite := harness.StartUp(t, t.TempDir())
	p := newPerson(t, suite, browser.Options{Language: "th"})
	p.opens("/")
	p.types("email", email)
	p.sends("email")
	code := suite.Code(t, email)
	thaiDigits := strings.Map(func(r rune) rune { return r - '0' + '๐' }, code)
	p.types("otp", " "+thaiDigits[:len(thaiDigits)/2]+" "+thaiDigits[len(thaiDigits)/2:]+" ")
	p.sends("otp")
	p.sees("/reg", email)
	p.noFaults()
}

// Going back and reloading after the registration repeats nothing.
func TestBack_DoesNotRegisterAgain(t *testing.T) {
	t.Parallel()
	const email, next = "arthit.s@example.ac.th", "zoe.miller@example.ac.th"
	suite := harness.StartUp(t, t.TempDir())
	p := newPerson(t, suite, browser.Options{Language: "en"})
	p.opens("/")
	id := p.registers(email, "Arthit", "Suksan")
	p.must(p.b.Back())
	p.sees("/done", id)
	p.must(p.b.Reload())
	p.sees("/done", id)
	p.must(p.b.Wait(progress + ` === "yes yes yes"`))

	// On a shared machine the next person finds nothing of the last one, and
	// gets the next number.
	p.clicks(`form[action="/leave"] button`)
	p.sees("/")
	p.must(p.b.Back())
	p.sees("/")
	if text := p.text("body"); strings.Contains(text, id) || strings.Contains(text, email) {
		t.Errorf("after the end of the session the page still shows\n%s", text)
	}
	if other := p.registers(next, "Zoe", "Miller"); id != "69000001" || other != "69000002" {
		t.Errorf("student IDs %s and %s, want 69000001 and 69000002", id, other)
	}
	confirmations := 0
	for _, m := range suite.Mails(t, email) {
		if strings.Contains(m.Text, id) {
			confirmations++
		}
	}
	if mails := suite.Mails(t, email); confirmations != 1 || len(mails) != 2 {
		t.Errorf("%d mails, %d of them confirmations; want 2 and 1: %v", len(mails), confirmations, subjects(mails))
	}
	p.noFaults()
}

func subjects(mails []mailsink.Message) (all []string) {
	for _, m := range mails {
		all = append(all, m.Subject)
	}
	return all
}
