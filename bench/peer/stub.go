package peer

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"matriq/bench/child"
	"matriq/pkg/api/restapi"
)

// RoleStub is both gateways with nothing behind them: every call succeeds at once.
const RoleStub = "stub"

// StubCode is the code that everybody gets in front of [RoleStub].
const StubCode = "123456"

// stubCodes implements load.Codes.
type stubCodes struct{}

// Code implements load.Codes.
func (stubCodes) Code(context.Context, string, string) (string, error) { return StubCode, nil }

// stubGateways answers AskOpen with its address.
func stubGateways(process context.Context) map[string]child.Handler {
	return map[string]child.Handler{AskOpen: child.Answers(func(context.Context, string) (string, error) {
		var students atomic.Int64
		mux := http.NewServeMux()
		mux.HandleFunc("POST "+restapi.PathGetOTP, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, restapi.GetOTPReply{Results: "1", Ref: "ABCD", ExpiresIn: 600, ResendAfter: 60})
		})
		mux.HandleFunc("POST "+restapi.PathAuthen, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, restapi.AuthenReply{Results: 1})
		})
		mux.HandleFunc("POST "+restapi.PathRegister, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, restapi.RegisterReply{Results: "registered", StudentID: students.Add(1)})
		})
		mux.HandleFunc("GET "+strings.Replace(restapi.PathProgress, "studentID", "id", 1), func(w http.ResponseWriter, _ *http.Request) {
			now := time.Now()
			answer(w, restapi.ProgressReply{StudentID: 1, Registered: &now})
		})
		return serveHTTP(process, mux)
	})}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // whoever asked may have gone
}
