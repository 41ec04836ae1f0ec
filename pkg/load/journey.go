package load

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
)

// StepMail is the step in which a visit waits for its code.
const StepMail = "mail with the code"

// StepDone is the step in which a visit waits until all is done.
const StepDone = "enrolled and confirmed"

// Journey registers one person by the pages, without JavaScript.
type Journey struct {
	Site   *Site
	People *People
	Codes  Codes
	// Mail says how codes are waited for.
	Mail Waiting
	// Patience is for answers that ask to come again.
	Patience Patience
	// Follow has visits wait until the registration is enrolled and confirmed.
	Follow bool
}

// Name implements [Plan].
func (j *Journey) Name() string { return "journey" }

// Visit implements [Plan].
func (j *Journey) Visit(ctx context.Context, v *Visit) error {
	who, ok := j.People.next()
	if !ok {
		return ErrNobodyLeft
	}
	b := &browser{client: j.Site.visitor(), visit: v, patience: j.Patience}
	defer b.close()
	first, err := b.open(ctx, "/")
	if err != nil {
		return err
	}
	asked, err := b.submit(ctx, first, "/authen", map[string]string{"email": who.Email})
	if err != nil {
		return err
	}
	code, err := j.Mail.code(ctx, v, j.Codes, who.Email, reference(asked.body))
	if err != nil {
		return err
	}
	proved, err := b.submit(ctx, asked, "/reg", map[string]string{"otp": code})
	if err != nil {
		return err
	}
	done, err := b.submit(ctx, proved, "/done", map[string]string{"firstname": who.Firstname, "lastname": who.Lastname})
	if err != nil {
		return err
	}
	if !studentID.Match(done.body) {
		return fmt.Errorf("%s has no student ID: %w", done.path, ErrWrong)
	}
	return j.follow(ctx, b)
}

var (
	studentID = regexp.MustCompile(`<output[^>]*>\d+</output>`)
	codeRef   = regexp.MustCompile(`class="ref"[^>]*>([^<]+)<`)
)

// reference is what the page shows to find the right mail by, or "".
func reference(page []byte) string {
	found := codeRef.FindSubmatch(page)
	if found == nil {
		return ""
	}
	return string(found[1])
}

// follow asks for the progress as the last page does.
func (j *Journey) follow(ctx context.Context, b *browser) error {
	if !j.Follow {
		return nil
	}
	return b.visit.Await(StepDone, func() error {
		return until(ctx, doneWithin, func() (bool, error) {
			p, err := b.open(ctx, "/done/progress")
			return err == nil && bytes.Contains(p.body, []byte("data-complete")), err
		})
	})
}
