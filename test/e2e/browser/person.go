package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// shown is true of a page that a person can see, or that has nothing to see. It is
// loaded before that, now and then before the field that asks for the focus has it.
const shown = `performance.getEntriesByType("paint").length > 0 || document.body.innerText.trim() === ""`

// Open goes to a URL, as from the address bar, and waits until it is shown.
func (b *Browser) Open(url string) error { return b.show("open "+url, chromedp.Navigate(url)) }

// Back goes back in the history.
func (b *Browser) Back() error { return b.show("go back", chromedp.NavigateBack()) }

// Reload loads the page again.
func (b *Browser) Reload() error { return b.show("reload", chromedp.Reload()) }

// show takes a step to another page, which ends when that is loaded, and waits
// until it is shown.
func (b *Browser) show(what string, step chromedp.Action[chromedp.Void]) error {
	if err := b.do(what, step); err != nil {
		return err
	}
	if err := b.Wait(shown); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Type clicks into the first input that fits the CSS selector and types text,
// key by key, over what is there.
func (b *Browser) Type(selector, text string) error {
	return b.do("type into "+selector,
		chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible),
		chromedp.Evaluate[chromedp.Void]("document.activeElement.select()"),
		chromedp.KeyEvent(text),
	)
}

// Keys presses keys for whatever has the focus. The package kb of chromedp names
// those that are no letters.
func (b *Browser) Keys(keys string) error { return b.do("press keys", chromedp.KeyEvent(keys)) }

// KeysToPage presses keys that lead to another page and waits until that is
// shown.
func (b *Browser) KeysToPage(keys string) error {
	return b.toPage("press keys", chromedp.KeyEvent(keys))
}

// ClickToPage clicks on what leads to another page and waits until that is
// shown.
func (b *Browser) ClickToPage(selector string) error {
	return b.toPage("click on "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

func (b *Browser) toPage(what string, action chromedp.Action[chromedp.Void]) error {
	loaded := chromedp.WaitEvent(page.LoadEventFired, nil, action)
	return b.show(what, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := loaded(ctx, t)
		return err
	}))
}

// Eval is the value of a JavaScript expression in the page, as JSON. It works
// where pages may not run scripts, too.
func (b *Browser) Eval(expression string) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(b.ctx, actionTimeout)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](expression))
	if err != nil {
		return nil, fmt.Errorf("evaluate %s: %w", expression, err)
	}
	return value, nil
}

// Wait waits until a JavaScript expression is true, over any number of pages.
func (b *Browser) Wait(expression string) error {
	ctx, cancel := context.WithTimeout(b.ctx, actionTimeout)
	defer cancel()
	ticker := time.NewTicker(25 * time.Millisecond)
	defer ticker.Stop()
	for {
		// Between two pages there is nothing to evaluate in: an error is a no.
		value, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if value {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not true after %v: %w", expression, actionTimeout, errors.Join(ctx.Err(), err))
		case <-ticker.C:
		}
	}
}

// Screenshot is a PNG of the whole page, also of what a person would have to
// scroll to.
func (b *Browser) Screenshot() ([]byte, error) {
	ctx, cancel := context.WithTimeout(b.ctx, actionTimeout)
	defer cancel()
	return chromedp.Run(ctx, chromedp.FullScreenshot(100))
}
