package main

import (
	"context"
	"fmt"

	"matriq/test/e2e/browser"
)

// A phone, twice as sharp as its size, and a desk.
var (
	phone = browser.Options{Width: 390, Height: 780, Scale: 2}
	desk  = browser.Options{Width: 1200, Height: 760}
)

const address = "malee@example.ac.th"

// walk goes through the pages and takes their pictures.
type walk struct {
	ctx      context.Context //nolint:containedctx // one walk is one run of the command
	suite    *suite
	chromium string
	save     func(name string, png []byte) error
}

func (w *walk) all() error {
	for _, tour := range []func() error{w.registration, w.thai, w.dark} {
		if err := tour(); err != nil {
			return err
		}
	}
	return nil
}

// open starts a browser at the first page.
func (w *walk) open(o browser.Options, language string, dark bool) (*browser.Browser, error) {
	o.Path, o.Language, o.Dark = w.chromium, language, dark
	b, err := browser.Start(w.ctx, o)
	if err != nil {
		return nil, err
	}
	if err := b.Open(w.suite.pages); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// registration is one from the first page to the inbox, on a phone.
func (w *walk) registration() error {
	b, err := w.open(phone, "en", false)
	if err != nil {
		return err
	}
	defer b.Close()
	code := ""
	for _, do := range []func() error{
		func() error { return w.picture(b, "start") },
		func() error { return b.Type("#email", address) },
		func() error { return b.ClickToPage("form:has(#email) button") },
		func() error { return w.picture(b, "code") },
		func() error { code, err = w.suite.code(w.ctx, address); return err },
		func() error { return b.Type("#otp", code) },
		func() error { return b.ClickToPage("form:has(#otp) button") },
		func() error { return b.Type("#firstname", "Malee") },
		func() error { return b.Type("#lastname", "Jaidee") },
		func() error { return w.picture(b, "names") },
		func() error { return b.ClickToPage("form:has(#lastname) button") },
		func() error { return b.Wait(`document.querySelector("#progress[data-complete]") !== null`) },
		func() error { return w.picture(b, "done") },
		func() error { return b.Open(w.suite.inbox + "/?pause") },
		func() error { return w.picture(b, "inbox") },
	} {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// thai is the first page in Thai.
func (w *walk) thai() error {
	b, err := w.open(phone, "th", false)
	if err != nil {
		return err
	}
	defer b.Close()
	return w.picture(b, "start-th")
}

// dark is the first page on a desk at night.
func (w *walk) dark() error {
	b, err := w.open(desk, "en", true)
	if err != nil {
		return err
	}
	defer b.Close()
	return w.picture(b, "start-dark")
}

// picture saves what the browser shows.
func (w *walk) picture(b *browser.Browser, name string) error {
	png, err := b.Screenshot()
	if err != nil {
		return fmt.Errorf("picture %s: %w", name, err)
	}
	if png, err = shrink(png); err != nil {
		return fmt.Errorf("picture %s: %w", name, err)
	}
	return w.save(name, png)
}
