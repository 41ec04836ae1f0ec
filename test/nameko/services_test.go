package nameko_test

import (
	"encoding/json"
	"strings"
	"testing"

	"matriq/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// A Nameko client makes a whole registration with the real services, as the
// published system's gateways do, argument by argument.
func TestNamekoClientRegistersAStudent(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, 1)
	client := python(t, "client", s.AMQPURL)
	const who = "nameko@example.ac.th"
	call := func(method string, args ...any) json.RawMessage {
		t.Helper()
		answer := client.ask(map[string]any{"call": method, "args": args, "kwargs": map[string]any{}, "context": map[string]any{"language": "th"}})
		if answer.Raises != "" {
			t.Fatalf("%s raises %s: %+v", method, answer.Raises, answer.Error)
		}
		return answer.Result
	}
	want := func(method string, got json.RawMessage, want string) {
		t.Helper()
		if !sameJSON(t, got, want) {
			t.Fatalf("%s replies %s, want %s", method, got, want)
		}
	}
	want("otp.create_email_list", call("otp.create_email_list", []string{who, "no address"}),
		`{"added": 1, "present": 0, "rejected": [{"row": 2, "value": "no address", "reason": "bad_email"}]}`)

	var sealed map[string]any
	if err := json.Unmarshal(call("otp.create", who), &sealed); err != nil || sealed["sealed"] == "" {
		t.Fatalf("otp.create replies %v: %v", sealed, err)
	}
	want("email_otp.send", call("email_otp.send", sealed, who), "null")
	ref, ok := sealed["ref"].(string)
	if !ok {
		t.Fatalf("otp.create replies %v", sealed)
	}
	code := s.Code(t, who, ref)

	want("otp.authen", call("otp.authen", who, wrong(code)), "0")
	want("otp.authen", call("otp.authen", who, code), "1")
	id := call("student.insert", "First", "Last", who)
	want("student.insert again", call("student.insert", "Other", "Name", who), string(id))
	want("enroll.insert", call("enroll.insert", id, "First", "Last"), "null")
	s.WaitComplete(t, who, "First", "Last")

	var progress map[string]any
	if err := json.Unmarshal(call("student.status", id), &progress); err != nil || progress["enrolled"] == nil || progress["registered"] == nil {
		t.Errorf("student.status replies %v: %v", progress, err)
	}
}

// wrong is a code of the same length that is not code.
func wrong(code string) string {
	if strings.HasPrefix(code, "1") {
		return "2" + code[1:]
	}
	return "1" + code[1:]
}

// What the real services refuse reaches a Nameko client as its own exceptions.
func TestNamekoClientRaisesTheServicesErrors(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, 1)
	client := python(t, "client", s.AMQPURL)
	for name, test := range map[string]struct { //nolint:paralleltest // one client asks one thing after the other
		call         string
		args         []any
		excPath      string
		code, reason string
	}{
		"no such method":  {call: "otp.nope", excPath: "nameko.exceptions.MethodNotFound"},
		"argument short":  {call: "student.insert", args: []any{"First", "Last"}, excPath: "nameko.exceptions.IncorrectSignature"},
		"argument over":   {call: "enroll.insert", args: []any{1, "First", "Last", "more"}, excPath: "nameko.exceptions.IncorrectSignature"},
		"bad address":     {call: "otp.create", args: []any{"nobody"}, code: "invalid_argument", reason: "bad_email"},
		"bad name":        {call: "student.insert", args: []any{"<b>", "Last", "a@example.ac.th"}, code: "invalid_argument", reason: "bad_firstname"},
		"unknown student": {call: "student.status", args: []any{1}, code: "not_found", reason: "no_such_student"},
	} {
		t.Run(name, func(t *testing.T) {
			got := client.ask(map[string]any{"call": test.call, "args": append([]any{}, test.args...), "kwargs": map[string]any{}}).Error
			if test.excPath != "" && got.ExcPath != test.excPath {
				t.Errorf("error is %+v, want %s", got, test.excPath)
			}
			if test.code != "" && (got.Code != test.code || got.Reason != test.reason) {
				t.Errorf("error is %+v, want %s, %s", got, test.code, test.reason)
			}
		})
	}
}
