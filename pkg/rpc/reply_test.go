package rpc

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestReply_roundTrip(t *testing.T) {
	t.Parallel()
	for _, want := range []*Error{
		{Code: InvalidArgument, Message: "no address", Reason: "bad_email"},
		{Code: ResourceExhausted, Message: "wait", Reason: "resend_too_soon", RetryAfter: 1500 * time.Millisecond},
		{Code: Internal, Message: messageInternal},
		{Code: NotFound, Message: "ไม่พบ"},
	} {
		result, got := decodeReply(encodeReply(nil, want))
		if result != nil || got == nil {
			t.Fatalf("%+v became %s, %+v", want, result, got)
		}
		if got.Code != want.Code || got.Message != want.Message || got.Reason != want.Reason || got.RetryAfter != want.RetryAfter || !got.Remote || got.Ran != RanYes {
			t.Errorf("%+v became %+v", want, got)
		}
	}
}

func TestEncodeReply(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		result string
		err    *Error
		want   string
	}{
		{result: `{"a":1}`, want: `{"result":{"a":1},"error":null}`},
		{result: `null`, want: `{"result":null,"error":null}`},
		{result: ``, want: `{"result":null,"error":null}`},
		{
			err:  &Error{Code: FailedPrecondition, Message: "not yet", cause: errors.New("secret")},
			want: `{"result":null,"error":{"exc_type":"FailedPrecondition","exc_path":"matriq.errors.FailedPrecondition","exc_args":["not yet"],"value":"not yet","code":"failed_precondition","message":"not yet"}}`,
		},
		{
			err:  noSuchMethod("nope"),
			want: `{"result":null,"error":{"exc_type":"MethodNotFound","exc_path":"nameko.exceptions.MethodNotFound","exc_args":["nope"],"value":"nope","code":"invalid_argument","message":"nope","reason":"method_not_found"}}`,
		},
	} {
		var result []byte
		if c.result != "" {
			result = []byte(c.result)
		}
		if got := encodeReply(result, c.err); string(got) != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	if got := encodeReply([]byte("no JSON"), nil); !strings.Contains(string(got), `"code":"internal"`) {
		t.Errorf("a bad result became %s", got)
	}
}

func TestDecodeReply(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"result": 1, "error": null}`:          `1`,
		`{"result": null, "error": {}}`:         `null`,
		`{"result": [1, 2]}`:                    `[1, 2]`,
		`{"result": "x", "error": ""}`:          `"x"`,
		`{"error": null, "result": false}`:      `false`,
		`{"result": 0, "error": [], "more": 1}`: `0`,
	} {
		if got, failed := decodeReply([]byte(body)); failed != nil || string(got) != want {
			t.Errorf("%s = %s, %v", body, got, failed)
		}
	}
	for _, body := range []string{``, `NaN`, `[]`, `{}`, `{"error": null}`, `{"error": "oops"}`, `{"error": 7, "result": 1}`, `{"result":1,"error":{"code":"made_up"}}`} {
		if got, failed := decodeReply([]byte(body)); failed == nil || failed.Code != Internal {
			t.Errorf("%s = %s, %v; want internal", body, got, failed)
		}
	}
}

// A peer's text may hold anything; only our own services' messages are shown.
func TestDecodeReply_namekoTextStaysACause(t *testing.T) {
	t.Parallel()
	_, failed := decodeReply([]byte(`{"result": null, "error": {"exc_type": "OperationalError", "exc_path": "db.OperationalError", "exc_args": [], "value": "password wrong"}}`))
	if failed.Code != Internal || strings.Contains(failed.Message, "password") || !strings.Contains(failed.Error(), "password wrong") {
		t.Errorf("%+v", failed)
	}
}

func FuzzDecodeReply(f *testing.F) {
	f.Add([]byte(`{"result": 1, "error": null}`))
	f.Add([]byte(`{"result": null, "error": {"exc_type": "E", "exc_path": "m.E", "exc_args": [{"k": []}], "value": ["x"], "code": "internal", "retry_after_ms": -9223372036854775808}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		result, failed := decodeReply(body)
		if failed == nil {
			if !json.Valid(result) {
				t.Fatalf("result %q is no JSON", result)
			}
			return
		}
		if !failed.Code.known() || failed.RetryAfter < 0 || failed.RetryAfter > maxRetryAfter {
			t.Fatalf("%+v", failed)
		}
		if _, again := decodeReply(encodeReply(nil, failed)); again == nil || again.Code != failed.Code || again.Reason != failed.Reason {
			t.Fatalf("%+v became %+v", failed, again)
		}
	})
}
