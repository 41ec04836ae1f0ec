package e2e_test

import (
	"testing"

	"matriq/pkg/mailsink"
	"matriq/test/e2e/browser"
	"matriq/test/harness"
)

// Whoever switches the language stays where they are, and what they have sent
// stays with them.
func TestLanguage_SwitchedOnTheWay(t *testing.T) {
	t.Parallel()
	const email = "prasert@example.ac.th"
	suite := harness.StartUp(t, t.TempDir())
	p := newPerson(t, suite, browser.Options{Language: "en"})
	p.opens("/")
	p.speaks("th")
	p.reads(thai, "/", thai.start)

	p.types("email", "no address")
	p.sends("email")
	p.sees("/start", "อีเมลไม่ครบถ้วน")
	p.speaks("en")
	p.sees("/start", "not a complete e-mail address")
	p.is("address", "no address", `document.querySelector("#email").value`)
	p.types("email", email)
	p.sends("email")

	p.reads(english, "/authen", english.code)
	ref := p.text(".ref")
	p.speaks("th")
	p.reads(thai, "/authen", thai.code)
	p.sees("/authen", email, ref)
	p.types("otp", suite.Code(t, email))
	p.sends("otp")

	p.reads(thai, "/reg", thai.names)
	p.types("firstname", "ประ5เสริฐ")
	p.types("lastname", "ใจดี")
	p.sends("lastname")
	p.sees("/reg", "กรอกชื่อของท่าน")
	p.speaks("en")
	p.sees("/reg", "Enter your first name in letters")
	p.is("first name", "ประ5เสริฐ", `document.querySelector("#firstname").value`)
	p.is("last name", "ใจดี", `document.querySelector("#lastname").value`)
	p.types("firstname", "ประเสริฐ")
	p.sends("firstname")

	p.reads(english, "/done", english.done)
	id := p.text("output")
	p.speaks("th")
	p.reads(thai, "/done", thai.done)
	p.is("student ID", id, `document.querySelector("output").innerText`)
	p.must(p.b.Wait(progress + ` === "yes yes yes"`))
	p.sees("/done", thai.complete)
	// The mail is in the language in which the names were sent.
	suite.WaitMail(t, email, func(m mailsink.Message) bool { return m.Lang == "en" })
	p.noFaults()
}
