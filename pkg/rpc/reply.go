package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// replyBody always has both keys: Nameko's client indexes result.
type replyBody struct {
	Result json.RawMessage `json:"result"`
	Error  *wireError      `json:"error"`
}

// wireError has Nameko's four fields and, from our services, ours.
type wireError struct {
	ExcType string          `json:"exc_type"`
	ExcPath string          `json:"exc_path"`
	ExcArgs []any           `json:"exc_args"`
	Value   json.RawMessage `json:"value"`

	Code         Code   `json:"code,omitempty"`
	Message      string `json:"message,omitempty"`
	Reason       string `json:"reason,omitempty"`
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
}

const (
	pathNameko = "nameko.exceptions."
	pathMatriq = "matriq.errors."
)

// excTypes are the exceptions that Nameko's clients raise as themselves.
func excType(reason string) (name string, ok bool) {
	switch reason {
	case reasonMethod:
		return "MethodNotFound", true
	case reasonSignature:
		return "IncorrectSignature", true
	case reasonMalformed:
		return "MalformedRequest", true
	}
	return "", false
}

// camelCase writes "InvalidArgument" for "invalid_argument".
func camelCase(c Code) string {
	var s strings.Builder
	for word := range strings.SplitSeq(string(c), "_") {
		if word != "" {
			s.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return s.String()
}

// encodeReply writes the body of a reply: e's when it is not nil. A result that
// is not JSON is an [Internal] error.
func encodeReply(result []byte, e *Error) []byte {
	body := replyBody{Result: result}
	if e != nil {
		body = replyBody{Error: wireErrorOf(e)}
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return encodeReply(nil, &Error{Code: Internal, Message: messageInternal})
	}
	return encoded
}

func wireErrorOf(e *Error) *wireError {
	message := strings.ToValidUTF8(e.Message, "�")
	value, _ := json.Marshal(message) // a string always succeeds
	w := &wireError{
		ExcType: camelCase(e.Code), ExcArgs: []any{message}, Value: value,
		Code: e.Code, Message: message, Reason: e.Reason, RetryAfterMS: e.RetryAfter.Milliseconds(),
	}
	w.ExcPath = pathMatriq + w.ExcType
	if name, ok := excType(e.Reason); ok && e.Code == InvalidArgument {
		w.ExcType, w.ExcPath = name, pathNameko+name
	}
	return w
}

// decodeReply reads what encodeReply or a Nameko worker wrote. An error is
// there when it is truthy in Python's sense, as its client has it.
func decodeReply(body []byte) (result []byte, failure *Error) {
	if result, ok := decodeResult(body); ok {
		return result, nil
	}
	var raw struct {
		Result json.RawMessage `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, unreadable(err)
	}
	if truthy(raw.Error) {
		return nil, remoteError(raw.Error)
	}
	if raw.Result == nil {
		return nil, unreadable(errors.New("no result"))
	}
	return raw.Result, nil
}

func truthy(v json.RawMessage) bool {
	var compact bytes.Buffer
	if len(v) == 0 || json.Compact(&compact, v) != nil {
		return false
	}
	switch compact.String() {
	case "null", "{}", "[]", `""`, "0", "false":
		return false
	}
	return true
}

func unreadable(cause error) *Error {
	return &Error{Code: Internal, Message: "the reply could not be read", Ran: RanYes, cause: cause}
}

// remoteError is what the peer said. A Nameko error without a code is internal
// unless it is one of the three that blame the request; its text may hold
// anything and stays a cause.
func remoteError(raw json.RawMessage) *Error {
	var w wireError
	if err := json.Unmarshal(raw, &w); err != nil {
		return &Error{Code: Internal, Message: messageInternal, Ran: RanYes, Remote: true, cause: fmt.Errorf("read error: %w", err)}
	}
	if w.Code == "" {
		return namekoError(w)
	}
	e := &Error{
		Code: w.Code, Message: w.Message, Reason: w.Reason, Ran: RanYes, Remote: true,
		RetryAfter: time.Duration(min(max(w.RetryAfterMS, 0), maxRetryAfter.Milliseconds())) * time.Millisecond,
	}
	if !w.Code.known() {
		e.Code, e.cause = Internal, fmt.Errorf("unknown code %q", w.Code)
	}
	if _, unread := excType(w.Reason); unread && w.Code == InvalidArgument {
		e.Ran = RanNo
	}
	return e
}

// maxRetryAfter bounds what a peer can make us say.
const maxRetryAfter = 7 * 24 * time.Hour

func namekoError(w wireError) *Error {
	cause := fmt.Errorf("%s: %s", w.ExcType, w.Value)
	for _, reason := range []string{reasonMethod, reasonSignature, reasonMalformed} {
		if name, _ := excType(reason); w.ExcPath == pathNameko+name {
			return &Error{Code: InvalidArgument, Message: "the service did not accept the request", Reason: reason, Ran: RanNo, Remote: true, cause: cause}
		}
	}
	return &Error{Code: Internal, Message: messageInternal, Ran: RanYes, Remote: true, cause: cause}
}
