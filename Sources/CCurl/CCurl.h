// The system's libcurl. Its options are set through variadic functions, which Swift can't call: here is one for each
// type of value.
#pragma once

#include <curl/curl.h>

static inline CURLcode cc_set_long(CURL *handle, CURLoption option, long value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode cc_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
  return curl_easy_setopt(handle, option, value);
}

// libcurl keeps a copy of strings, but not of CURLOPT_POSTFIELDS.
static inline CURLcode cc_set_string(CURL *handle, CURLoption option, const char *value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode cc_set_pointer(CURL *handle, CURLoption option, void *value) {
  return curl_easy_setopt(handle, option, value);
}

// Must take all bytes: any other count than size * count ends the transfer with CURLE_WRITE_ERROR.
typedef size_t (*cc_sink)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode cc_set_sink(CURL *handle, CURLoption option, cc_sink sink) {
  return curl_easy_setopt(handle, option, sink);
}

static inline CURLMcode cc_set_multi_long(CURLM *handle, CURLMoption option, long value) {
  return curl_multi_setopt(handle, option, value);
}

// A message is a union, of which Swift would see no type.
static inline CURLcode cc_result(const CURLMsg *message) { return message->data.result; }
