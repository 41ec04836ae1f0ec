package ui

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"matriq/pkg/service"
)

// A panic is a page like any other failure, and its stack is for the log alone.
func TestPanic(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	env := service.NewEnv("ui", map[string]string{
		"REDIS_URL": "redis://127.0.0.1:1", "OTP_URL": "http://a:b@127.0.0.1:1", "REGISTER_URL": "http://a:b@127.0.0.1:1",
	}, slog.New(slog.NewJSONHandler(&log, nil)))
	cfg, err := ReadConfig(env)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	t.Cleanup(func() { _ = client.Close() })
	u, err := New(client, &Gateways{}, cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	handler := u.identify(u.recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("at the worst time") })))
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/reg?lang=en", nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "Something went wrong on our side") {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
	if strings.Contains(w.Body.String(), "worst time") || strings.Contains(w.Body.String(), "goroutine") {
		t.Error("the page shows what went wrong")
	}
	if !strings.Contains(log.String(), "worst time") || !strings.Contains(log.String(), "goroutine") {
		t.Errorf("the log does not:\n%s", &log)
	}
}
