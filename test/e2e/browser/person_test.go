package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"matriq/test/e2e/browser"
)

// What leads to a page waits until a person could see it: however soon that is
// loaded, the field that asks for the focus has it.
func TestClickToPage_Focus(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, `<!doctype html><title>t</title><link rel=icon href=data:,>
			<input id=field autofocus><form method=post><button>on</button></form>`)
	}))
	t.Cleanup(site.Close)
	for name, noScript := range map[string]bool{"script": false, "no script": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, browser.Options{NoScript: noScript})
			if err := b.Open(site.URL); err != nil {
				t.Fatal(err)
			}
			const pages = 60 // of 400 just loaded, 6 to 11 had no focus yet
			for range pages {
				if err := b.ClickToPage("button"); err != nil {
					t.Fatal(err)
				}
				if at, err := b.Eval("document.activeElement.id"); err != nil || string(at) != `"field"` {
					t.Fatalf("the focus is at %s (%v), want the field", at, err)
				}
			}
		})
	}
}
