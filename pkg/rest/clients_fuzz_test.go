package rest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"matriq/pkg/rest"
)

// FuzzClients_UnmarshalText: whatever API_CLIENTS holds, it is read without an
// error, since that would quote it; nothing of it is printed; and no password
// opens anything that is empty.
func FuzzClients_UnmarshalText(f *testing.F) {
	for _, seed := range []string{
		"", ",", ":", "::", "ui:correct-horse-battery:otp", "ui:correct-horse-battery:otp+register\nother:with:colons:import", "ui::otp", ":p:otp",
		"ui:p:otp+", "ui:p:OTP", "ui:\x00:otp", "ui:p:otp,ui:q:otp", strings.Repeat("a", 70) + ":p:otp", "ก:ข:otp", "\xff:p:otp", "a:b:otp\r\nc:d:import",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, setting string) {
		var clients rest.Clients
		if err := clients.UnmarshalText([]byte(setting)); err != nil {
			t.Fatalf("UnmarshalText(%q) = %v", setting, err)
		}
		for _, text := range []string{fmt.Sprint(clients), clients.LogValue().String()} {
			if len(text) > len("1000000 clients") {
				t.Errorf("the clients of %q print %q", setting, text)
			}
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.SetBasicAuth("", "")
		if _, err := rest.Authorize(clients, r, rest.ScopeOTP); err == nil {
			t.Errorf("%q lets in who says no name", setting)
		}
	})
}
