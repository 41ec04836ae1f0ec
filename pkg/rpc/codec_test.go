package rpc

import (
	"errors"
	"strings"
	"testing"
)

type codecArgs struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Note   string `json:"note,omitempty"`
	hidden int
	Skip   string `json:"-"`
}

func TestDecodeArgs(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]codecArgs{
		`{"args":[9007199254740993,"a"],"kwargs":{}}`:         {ID: 9007199254740993, Name: "a"},
		`{"args":[1],"kwargs":{"name":"a"}}`:                  {ID: 1, Name: "a"},
		`{"args":[],"kwargs":{"name":"a","id":1}}`:            {ID: 1, Name: "a"},
		`{"args":[1,"a","b"],"kwargs":{}}`:                    {ID: 1, Name: "a", Note: "b"},
		`{"args":[1,"a"],"kwargs":{"note":"b"},"other":true}`: {ID: 1, Name: "a", Note: "b"},
		`{"args":[1,"\u0e44"],"kwargs":{}}`:                   {ID: 1, Name: "ไ"},
	} {
		var got codecArgs
		if err := decodeArgs([]byte(body), &got); err != nil || got != want {
			t.Errorf("%s = %+v, %v; want %+v", body, got, err, want)
		}
	}
}

func TestDecodeArgs_refused(t *testing.T) {
	t.Parallel()
	for body, reason := range map[string]string{
		``:                                     reasonMalformed,
		`NaN`:                                  reasonMalformed,
		`null`:                                 reasonMalformed,
		`[1,"a"]`:                              reasonMalformed,
		`{"args":[1,"a"]}`:                     reasonMalformed,
		`{"kwargs":{}}`:                        reasonMalformed,
		`{"args":{"id":1},"kwargs":{}}`:        reasonMalformed,
		`{"args":[],"kwargs":[]}`:              reasonMalformed,
		`{"args":[1],"kwargs":{}}`:             reasonSignature,
		`{"args":[1,"a","b","c"],"kwargs":{}}`: reasonSignature,
		`{"args":[1,"a"],"kwargs":{"id":2}}`:   reasonSignature,
		`{"args":[1,"a"],"kwargs":{"z":2}}`:    reasonSignature,
		`{"args":["x","a"],"kwargs":{}}`:       reasonSignature,
		`{"args":[1.5,"a"],"kwargs":{}}`:       reasonSignature,
	} {
		var got codecArgs
		e, ok := errors.AsType[*Error](decodeArgs([]byte(body), &got))
		if !ok || e.Code != InvalidArgument || e.Reason != reason || e.Ran != RanNo {
			t.Errorf("%s: %+v, want %s", body, e, reason)
		}
	}
}

func TestEncodeArgs(t *testing.T) {
	t.Parallel()
	for want, args := range map[string]any{
		`{"args":[1,"a",""],"kwargs":{}}`: codecArgs{ID: 1, Name: "a", hidden: 2, Skip: "no"},
		`{"args":[],"kwargs":{}}`:         struct{}{},
	} {
		if got, err := encodeArgs(args); string(got) != want || err != nil {
			t.Errorf("encodeArgs(%+v) = %s, %v; want %s", args, got, err, want)
		}
	}
	for _, args := range []any{nil, 7, &codecArgs{}, []string{"a"}} {
		if _, err := encodeArgs(args); err == nil {
			t.Errorf("encodeArgs(%v) has no error", args)
		}
	}
}

// What is decoded can be encoded, and then decodes to the same.
func FuzzDecodeArgs(f *testing.F) {
	f.Add([]byte(`{"args":[1,"a"],"kwargs":{"note":"b"}}`))
	f.Add([]byte(`{"args":[],"kwargs":{"name":null,"id":-0}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var first, second codecArgs
		if err := decodeArgs(body, &first); err != nil {
			if CodeOf(err) != InvalidArgument {
				t.Fatalf("%v, want invalid_argument", err)
			}
			return
		}
		encoded, err := encodeArgs(first)
		if err != nil {
			t.Fatal(err)
		}
		if err := decodeArgs(encoded, &second); err != nil || first != second {
			t.Fatalf("%+v became %+v, %v", first, second, err)
		}
	})
}

func TestDecodeArgs_messageHasNoValue(t *testing.T) {
	t.Parallel()
	var got codecArgs
	e, _ := errors.AsType[*Error](decodeArgs([]byte(`{"args":["secret","a"],"kwargs":{}}`), &got))
	if e == nil || strings.Contains(e.Message, "secret") {
		t.Errorf("err = %+v", e)
	}
}
