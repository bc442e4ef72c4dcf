#include "net/firewall/detail/own_rules.h"

namespace zona::net::detail {

// The limits keep one request's inspection below a second. 901321 would remember every client, in
// collections that are not made for several threads. A request without a body needs no length here
// (920180), and zona is often asked for by address (920350).
//
// What is not looked at: secrets, which may be any text and are compared by hash; what a process is
// made of, which is commands by nature, and which only those may send who may run commands.
const char* const kOwnRules = R"RULES(
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess Off
SecAuditEngine Off
SecRequestBodyLimit 33554432
SecRequestBodyNoFilesLimit 33554432
SecRequestBodyJsonDepthLimit 64
SecArgumentsLimit 1000
SecPcreMatchLimit 100000
SecPcreMatchLimitRecursion 100000
SecDefaultAction "phase:1,log,pass"
SecDefaultAction "phase:2,log,pass"

SecAction "id:8063001,phase:1,pass,nolog,setvar:tx.crs_setup_version=334,setvar:'tx.allowed_methods=GET HEAD POST PUT PATCH DELETE OPTIONS'"
SecRule REQUEST_HEADERS:Content-Type "@rx ^application/(?:[a-z0-9.+-]+[+])?json(?:\s|;|$)" "id:8063002,phase:1,pass,nolog,t:lowercase,ctl:requestBodyProcessor=JSON"
SecRule REQBODY_ERROR "!@eq 0" "id:8063003,phase:2,deny,log"
SecRule &ARGS "@ge 1000" "id:8063004,phase:2,deny,log"

SecRuleRemoveById 901321
SecRuleRemoveById 920180
SecRuleRemoveById 920350

SecRuleUpdateTargetByTag "OWASP_CRS" "!ARGS:'/^(?:json\.(?:.*\.)?)?(?:password|new_password|new_password_again|db_password|client_secret|token|access_token|refresh_token|code|csrf|license|SAMLResponse)$/'"
SecRuleUpdateTargetByTag "OWASP_CRS" "!ARGS:'/^json\.(?:apps\.array_[0-9]+|env|file)\./'"
SecRuleUpdateTargetByTag "attack-rfi" "!ARGS:'/^json\.(?:.*\.)?(?:redirect_uri|issuer)$/'"
)RULES";

}  // namespace zona::net::detail
