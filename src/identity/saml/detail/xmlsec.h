// xmlsec's headers, which want an order of their own.
#pragma once

// clang-format off
#include <xmlsec/xmlsec.h>
#include <xmlsec/errors.h>
#include <xmlsec/transforms.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlenc.h>
#include <xmlsec/openssl/app.h>
#include <xmlsec/openssl/crypto.h>
// clang-format on
