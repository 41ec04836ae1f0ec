//go:build shots

package ui_test

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"
	"fmt"
	"os"
)

func TestShots(t *testing.T) {
	out := "/tmp/uishots"
	os.MkdirAll(out, 0o755)
	vars := map[string]string{"PUBLIC_ORIGIN": "http://localhost:1", "ALLOWED_HOSTS":"127.0.0.1", "SHOW_REPLICA": "true"}
	s := newSite(t, vars)
	state := map[string]map[string]string{}
	var names []string
	mk := func(name, path string, f func(b *browser)) {
		b := s.browser(t)
		b.header["Host"] = "localhost"
		f(b)
		state[name] = map[string]string{"path": path, "sid": b.cookies["sid"]}
		names = append(names, name)
	}
	mk("1start", "/", func(b *browser) {})
	mk("2bad", "/start", func(b *browser) { b.post("/", "email", "somchai@") })
	mk("3code", "/authen", func(b *browser) { b.toCode("somchai.j@student.example.ac.th") })
	mk("4wrong", "/authen", func(b *browser) { b.toCode("somchai.j@student.example.ac.th"); b.post("/authen", "otp", "111111") })
	mk("5names", "/reg", func(b *browser) { b.toNames("somchai.j@student.example.ac.th") })
	mk("6namesbad", "/reg", func(b *browser) { b.toNames("somchai.j@student.example.ac.th"); b.post("/reg", "firstname", "Somchai", "lastname", "") })
	mk("7done", "/done", func(b *browser) { b.toDone("somchai.j@student.example.ac.th") })
	mk("8nope", "/nope", func(b *browser) {})
	shot := func(name string) {
		st := state[name]
		ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if st["sid"] != "" { r.AddCookie(&http.Cookie{Name: "sid", Value: st["sid"]}) }
			s.handler.ServeHTTP(w, r)
		}))
		defer ts.Close()
		for _, l := range []string{"th", "en"} {
			for _, size := range []string{"390,900", "1280,860", "320,700"} {
				for _, mode := range []string{"light", "dark"} {
					if only := os.Getenv("SHOT"); only != "" && only != name+"-"+l+"-"+size+"-"+mode && only != name { continue }
					if size == "320,700" && mode == "dark" { continue }
					dir, _ := os.MkdirTemp("", "chr")
					args := []string{"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir=" + dir, "--hide-scrollbars", "--virtual-time-budget=1500", "--window-size=" + size,
						"--screenshot=" + fmt.Sprintf("%s/%s-%s-%s-%s.png", out, name, l, size, mode)}
					if mode == "dark" { args = append(args, "--blink-settings=preferredColorScheme=0") } else { args = append(args, "--blink-settings=preferredColorScheme=1") }
					args = append(args, ts.URL+st["path"]+"?lang="+l)
					if o, err := exec.Command("/usr/bin/chromium", args...).CombinedOutput(); err != nil { t.Log(string(o), err) }
					os.RemoveAll(dir)
				}
			}
		}
	}
	for _, n := range names { if n == "7done" { } ; shot(n) }
	s.gateways.confirmed()
	state["9complete"] = state["7done"]
	shot("9complete")
}
