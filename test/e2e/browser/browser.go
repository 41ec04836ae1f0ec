// Package browser drives a headless Chromium as a person uses one: it opens
// pages, types, clicks, presses keys, and looks at what is shown. Meanwhile it
// notes whatever a person would never see and must not happen: errors in the
// console, exceptions, violations of the content security policy, requests to
// other origins.
//
// Each browser is a process of its own with an empty profile, and can reach
// nothing but this machine. It ends with [Browser.Close], and with the program
// whatever ends that. A Browser is for one goroutine.
package browser

import (
	"context"
	"fmt"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Patience with one action; machines that run tests are busy.
const (
	startTimeout  = 60 * time.Second
	actionTimeout = 30 * time.Second
)

// Options say what kind of browser a person has.
type Options struct {
	// Path is the program.
	Path string
	// Language is sent as Accept-Language.
	Language string
	// Width and Height of the window; 1280 × 800 if zero.
	Width, Height int64
	// Scale is how many pixels a unit of length has; one if zero.
	Scale float64
	// Dark prefers dark pages.
	Dark bool
	// NoScript switches JavaScript off.
	NoScript bool
	// Origins are where pages may load from, such as http://127.0.0.1:8080.
	// Every other request is a fault.
	Origins []string
}

// Browser is one tab of one browser.
type Browser struct {
	ctx   context.Context //nolint:containedctx // chromedp keeps the tab in a context
	stop  func()
	watch *watch
}

// Start starts a browser, which ends with ctx if nobody closes it before.
func Start(ctx context.Context, o Options) (*Browser, error) {
	allocator, stop := chromedp.NewExecAllocator(ctx, flags(o)...)
	b := &Browser{watch: &watch{}}
	b.Allow(o.Origins...)
	tab, cancel := chromedp.NewContext(allocator, chromedp.WithListener(b.watch.see))
	b.ctx = tab
	b.stop = func() {
		cancel()
		stop()
	}
	// The context of the first action is the life of the browser, so a timer has
	// to take the place of a deadline.
	timer := time.AfterFunc(startTimeout, cancel)
	defer timer.Stop()
	if err := chromedp.Do(tab, setUp(o)); err != nil {
		b.Close()
		return nil, fmt.Errorf("start %s: %w", o.Path, err)
	}
	return b, nil
}

// Close ends the browser and removes its profile.
func (b *Browser) Close() { b.stop() }

func flags(o Options) []chromedp.ExecAllocatorOption {
	width, height := size(o)
	return append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(o.Path),
		chromedp.NoSandbox, // tests run as root, too, and open their own pages alone
		chromedp.DisableGPU,
		chromedp.WindowSize(int(width), int(height)),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("no-proxy-server", true),
	)
}

func size(o Options) (width, height int64) {
	if o.Width == 0 || o.Height == 0 {
		return 1280, 800
	}
	return o.Width, o.Height
}

// setUp makes the tab what o says.
func setUp(o Options) chromedp.Action[chromedp.Void] {
	width, height := size(o)
	scale := max(o.Scale, 1)
	scheme := "light"
	if o.Dark {
		scheme = "dark"
	}
	return chromedp.Steps(
		chromedp.EmulateViewport(width, height, chromedp.EmulateScale(scale)),
		speak(o.Language),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}),
		command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: o.NoScript}),
		command(audits.Enable, cdp.Empty{}),
	)
}

// speak sets Accept-Language, which goes with the name of the browser.
func speak(language string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		version, err := chromedp.CallBrowser(ctx, browser.GetVersion, cdp.Empty{})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, t, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
			UserAgent: version.UserAgent, AcceptLanguage: language,
		})
		return err
	})
}

// command is a command of the protocol whose answer holds nothing of interest.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// do runs actions with patience.
func (b *Browser) do(what string, steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(b.ctx, actionTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
