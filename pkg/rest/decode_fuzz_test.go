package rest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"matriq/pkg/rest"
)

// Whatever arrives is refused as the client's fault, or is an object with
// exactly the declared keys, whose strings are decoded as encoding/json does.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		goodBody, "", "{}", "null", `[]`, `{"email":1,"otp":""}`, `{"Email":"","otp":""}`, `{"email":"","otp":""}x`,
		`{"email":"\ud800","otp":"\u0000"}`, `{"email":"","email":"","otp":""}`, "{\"email\":\"\xff\",\"otp\":\"\"}",
		`{"email":{"email":""},"otp":""}`, `{"email":"ก","otp":"๑๒๓"}`, "\ufeff{}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got echo
		if err := rest.Decode(body, &got); err != nil {
			e, ok := errors.AsType[*rest.Error](err)
			if !ok || e.Status != http.StatusBadRequest && e.Status != http.StatusUnprocessableEntity {
				t.Errorf("Decode(%q) = %v, want a problem of 400 or 422", body, err)
			}
			return
		}
		var plain map[string]string
		if err := json.Unmarshal(body, &plain); err != nil {
			t.Fatalf("Decode takes %q, encoding/json says %v", body, err)
		}
		if len(plain) != 2 || plain["email"] != got.Email || plain["otp"] != got.OTP {
			t.Errorf("Decode(%q) = %+v, encoding/json has %v", body, got, plain)
		}
	})
}
