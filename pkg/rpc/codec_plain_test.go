package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

type (
	plainText string
	plainByte int8
	plainBool bool
	// plainArgs has one of each plain kind, under types of its own where there are any.
	plainArgs struct {
		Text   string
		Named  plainText
		Number int64
		Small  plainByte
		Yes    plainBool
	}
)

// argsByJSON is encodeArgs in the words of encoding/json.
func argsByJSON(t *testing.T, args ...any) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]any{"args": args, "kwargs": struct{}{}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// What is written in short is what encoding/json writes, and reads back as what
// encoding/json reads in it.
func FuzzEncodePlain(f *testing.F) {
	for _, s := range []string{"", "plain", "ไทย", `"`, `\`, "a<b", "a>b", "a&b", "\u2028", "\u2029", "\xff", "\xed\xa0\x80", "\ufffd", "\x00", "\n", "\x7f", "𝄞", "\xe2\x80"} {
		f.Add(s, int64(0), int8(-1), true)
		f.Add("seven b"+s, int64(math.MinInt64), int8(math.MinInt8), false)
	}
	f.Fuzz(func(t *testing.T, s string, number int64, small int8, yes bool) {
		args := plainArgs{Text: s, Named: plainText(s), Number: number, Small: plainByte(small), Yes: plainBool(yes)}
		body, ok := encodePlain(args)
		want := argsByJSON(t, s, s, number, small, yes)
		if ok && !bytes.Equal(body, want) {
			t.Fatalf("%s, want %s", body, want)
		}
		marshalled, err := json.Marshal(s)
		if asItIs := err == nil && string(marshalled) == `"`+s+`"`; asItIs != ok {
			t.Fatalf("%s in short: %t", want, ok)
		}
		if body, err := bodyOf(args); err != nil || !bytes.Equal(body, want) {
			t.Fatalf("%s, %v, want %s", body, err, want)
		}
		result, err := (Method[Nothing, string]{plain: true}).encode(s)
		if err != nil || !bytes.Equal(result, encodeReply(marshalled, nil)) {
			t.Fatalf("%s, %v, want the result %s", result, err, marshalled)
		}
		var quickly, slowly plainArgs
		if err := decodeArgs(append([]byte(" "), want...), &slowly); err != nil {
			t.Fatal(err)
		}
		if decodePlain(want, &quickly) && quickly != slowly {
			t.Fatalf("%s is %+v in short; at length %+v", want, quickly, slowly)
		}
	})
}

// What is taken in short is good, and means the same, at length.
func FuzzDecodePlain(f *testing.F) {
	for _, list := range []string{
		`"a","b",1,1,true`, `"","",0,-0,false`, `"a\"","b",1,1,true`, `"a\\","b",1,1,true`, `"ไ","ไ",-9223372036854775808,127,true`, `"","",1,128,true`,
		`"","",01,1,true`, `"","",1.0,1,true`, `"","",1e1,1,true`, `"","",+1,1,true`, `"","",-,1,true`, `"","",999999999999999999,1,true`, `"","",9999999999999999999,1,true`,
		"\"\n\",\"\",1,1,true", "\"\xff\",\"\",1,1,true", `"","",1,1,truefalse`, `"","",1,1,true,`, `"","",1,1`, `,"","",1,1,true`, `null,null,null,null,null`, ` "","",1,1,true`, `"","",1,1,tru`,
	} {
		f.Add([]byte(list))
	}
	f.Fuzz(func(t *testing.T, list []byte) {
		body := append(append([]byte(argsBegin), list...), argsEnd...)
		var quickly, slowly plainArgs
		if decodePlain(body, &quickly) {
			if err := decodeArgs(append([]byte(" "), body...), &slowly); err != nil || quickly != slowly {
				t.Fatalf("%s is %+v in short; at length %+v, %v", body, quickly, slowly, err)
			}
		}
		agree[string](t, list)
		agree[plainText](t, list)
		agree[int](t, list)
		agree[plainByte](t, list)
		agree[bool](t, list)
		if isValue(list) != json.Valid(list) {
			t.Fatalf("%q is a value: %t", list, isValue(list))
		}
	})
}

// agree holds a result in short against encoding/json.
func agree[T comparable](t *testing.T, text []byte) {
	t.Helper()
	var quickly, slowly T
	if !decodePlainResult(text, &quickly) {
		return
	}
	if err := json.Unmarshal(text, &slowly); err != nil || quickly != slowly {
		t.Fatalf("%q is %v in short; at length %v, %v", text, quickly, slowly, err)
	}
}

// What most messages have goes the short way, both ways.
func TestPlain(t *testing.T) {
	t.Parallel()
	for _, args := range []plainArgs{
		{},
		{Text: "เด็กชาย", Named: plainText(strings.Repeat("x", 4096)), Number: 999_999_999_999_999_999, Small: -128, Yes: true},
		{Text: "a@x.th", Named: "'/\x7f\ufffd𝄞", Number: -1, Small: 127},
	} {
		body, ok := encodePlain(args)
		if !ok || cap(body)-len(body) > 64 {
			t.Fatalf("%+v in short: %t, with %d bytes to spare", args, ok, cap(body)-len(body))
		}
		var got plainArgs
		if !decodePlain(body, &got) || got != args {
			t.Errorf("%s is %+v", body, got)
		}
	}
	if body, ok := encodePlain(Nothing{}); !ok || string(body) != `{"args":[],"kwargs":{}}` || !decodePlain(body, &Nothing{}) {
		t.Errorf("nothing is %s, %t", body, ok)
	}
}

type (
	ownText   string
	ownJSON   int
	ownReader string
)

func (t ownText) MarshalText() ([]byte, error)  { return []byte("own " + t), nil }
func (n ownJSON) MarshalJSON() ([]byte, error)  { return []byte("[" + strconv.Itoa(int(n)) + "]"), nil }
func (t *ownReader) UnmarshalJSON([]byte) error { *t = "read"; return nil }
func ofType[T any]() reflect.Type               { return reflect.TypeFor[T]() }

// A type that has its own form keeps it.
func TestIsPlain(t *testing.T) {
	t.Parallel()
	for _, plain := range []reflect.Type{ofType[string](), ofType[plainText](), ofType[int](), ofType[int64](), ofType[plainByte](), ofType[bool](), ofType[time.Duration]()} {
		if !isPlain(plain) {
			t.Errorf("%v is not plain", plain)
		}
	}
	for _, other := range []reflect.Type{
		ofType[ownText](), ofType[ownJSON](), ofType[ownReader](), ofType[json.Number](), ofType[json.RawMessage](), ofType[time.Time](),
		ofType[float64](), ofType[uint](), ofType[[]string](), ofType[*string](), ofType[any](), ofType[struct{}](),
	} {
		if isPlain(other) {
			t.Errorf("%v is plain", other)
		}
	}
	type request struct {
		Text   ownText
		Number json.Number
		Read   ownReader
		Pair   ownJSON
	}
	body, err := bodyOf(request{"a", "", "b", 2})
	if want := `{"args":["own a",0,"b",[2]],"kwargs":{}}`; err != nil || string(body) != want {
		t.Errorf("%s, %v, want %s", body, err, want)
	}
	got, err := argsOf[struct{ Read ownReader }]([]byte(`{"args":["b"],"kwargs":{}}`))
	if err != nil || got.Read != "read" {
		t.Errorf("%+v, %v", got, err)
	}
}

// What cannot be read in short is refused at length, and leaves nothing behind.
func TestArgsOf_refused(t *testing.T) {
	t.Parallel()
	_, err := argsOf[plainArgs]([]byte(`{"args":["a","b",1,128,true],"kwargs":{}}`))
	if e, ok := errors.AsType[*Error](err); !ok || e.Reason != reasonSignature {
		t.Errorf("err = %v", err)
	}
	got, err := argsOf[plainArgs]([]byte(`{"args":["a","b",7,null,null],"kwargs":{}}`))
	if want := (plainArgs{Text: "a", Named: "b", Number: 7}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

// Text that needs no escape costs the buffer to write and the text to read.
func TestPlain_objects(t *testing.T) { //nolint:paralleltest // it counts the objects of the process
	type request struct{ Text string }
	text := strings.Repeat("x", 4096)
	body, err := bodyOf(request{text})
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(){
		"bodyOf": func() { _, _ = bodyOf(request{text}) },
		"argsOf": func() { _, _ = argsOf[request](body) },
	} {
		if n := testing.AllocsPerRun(100, do); n > 1 {
			t.Errorf("%s makes %v objects", name, n)
		}
	}
}

func BenchmarkPlain(b *testing.B) {
	type request struct{ Text string }
	for name, text := range map[string]string{"ascii": strings.Repeat("x", 4096), "thai": strings.Repeat("ไทย", 455), "escaped": strings.Repeat("x", 4095) + "&"} {
		body, err := bodyOf(request{text})
		if err != nil {
			b.Fatal(err)
		}
		b.Run("write/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = bodyOf(request{text})
			}
		})
		b.Run("read/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = argsOf[request](body)
			}
		})
	}
}
