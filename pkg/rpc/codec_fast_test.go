package rpc

import (
	"bytes"
	"encoding/json"
	"testing"
)

// decodeSlowly is decodeArgs without the short way.
func decodeSlowly(body []byte, req *codecArgs) error {
	return decodeArgs(append([]byte(" "), body...), req)
}

// The short way and the long one agree about every body: whether it is good, and
// what is in it.
func FuzzDecodePositional(f *testing.F) {
	for _, list := range []string{
		`1,"a","b"`, `1,"a,]}",""`, `1,"a\\",""`, `1,"a\"",""`, `1,"\u0e44","x\n"`, `1,"a"`, `1,"a","b",2`, ``, `1,,""`, `1,"a","b"],"args":[2`,
		`null,null,null`, ` 1 , "a" , "" `, `1,"a","b\`, `[1,2],{"a":"b"},""`,
	} {
		f.Add([]byte(list))
	}
	f.Fuzz(func(t *testing.T, list []byte) {
		body := append(append([]byte(argsBegin), list...), argsEnd...)
		var quickly, slowly codecArgs
		if !decodePositional(body, &quickly) {
			return
		}
		if err := decodeSlowly(body, &slowly); err != nil || quickly != slowly {
			t.Fatalf("%s is %+v in short; at length %+v, %v", body, quickly, slowly, err)
		}
	})
}

// What our own programs send goes the short way.
func TestDecodePositional(t *testing.T) {
	t.Parallel()
	for _, args := range []codecArgs{{}, {ID: 1, Name: `a "quoted", [name]`, Note: `\`}, {ID: -9007199254740993, Name: "ไทย"}} {
		body, err := encodeArgs(args)
		if err != nil {
			t.Fatal(err)
		}
		var got codecArgs
		if !decodePositional(body, &got) || got != args {
			t.Errorf("%s = %+v, want %+v the short way", body, got, args)
		}
	}
}

func TestEncodeResult(t *testing.T) {
	t.Parallel()
	for _, result := range []any{nil, 1, "a\"b", []string{"<", "ไ"}, map[string]any{"error": nil}} {
		marshalled, err := json.Marshal(result)
		if err != nil {
			t.Fatal(err)
		}
		body := encodeResult(marshalled)
		if want := encodeReply(marshalled, nil); !bytes.Equal(body, want) {
			t.Errorf("%s, want %s", body, want)
		}
		if got, ok := decodeResult(body); !ok || !bytes.Equal(got, marshalled) {
			t.Errorf("%s has the result %s, %t", body, got, ok)
		}
	}
}
