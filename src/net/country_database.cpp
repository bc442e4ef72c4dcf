#include "net/country_database.h"

#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/network.h"

namespace zona::net {

struct CountryDatabase::File {
    MMDB_s db{};
    ~File() { MMDB_close(&db); }
};

CountryDatabase::CountryDatabase(std::unique_ptr<File> file) : file_(std::move(file)) {}
CountryDatabase::~CountryDatabase() = default;

core::Result<std::shared_ptr<const CountryDatabase>> CountryDatabase::open(
    const std::string& path) {
    MMDB_s opened{};
    const int status = MMDB_open(path.c_str(), MMDB_MODE_MMAP, &opened);
    if (status == MMDB_FILE_OPEN_ERROR || status == MMDB_IO_ERROR)
        return core::Error::from_errno(errno, "cannot open the country database " + path);
    if (status != MMDB_SUCCESS) {
        return core::Error(core::Code::kInvalidArgument,
                           fmt::format("{} is no country database: {}; it is one in the format of "
                                       "MaxMind, as GeoLite2-Country.mmdb",
                                       path, MMDB_strerror(status)));
    }
    auto file = std::make_unique<File>();
    file->db = opened;
    return std::shared_ptr<const CountryDatabase>(new CountryDatabase(std::move(file)));
}

std::string CountryDatabase::country_of(std::string_view address) const {
    const auto bits = address_bits(address);
    if (!bits) return {};
    sockaddr_in6 six{};
    sockaddr_in four{};
    const bool is_four = is_ipv4(*bits);
    // A database of IPv4 alone has no place for mapped addresses.
    const sockaddr* place = nullptr;
    if (is_four) {
        four.sin_family = AF_INET;
        std::copy(bits->end() - sizeof four.sin_addr, bits->end(),
                  reinterpret_cast<std::uint8_t*>(&four.sin_addr));
        place = reinterpret_cast<const sockaddr*>(&four);
    } else {
        six.sin6_family = AF_INET6;
        std::ranges::copy(*bits, reinterpret_cast<std::uint8_t*>(&six.sin6_addr));
        place = reinterpret_cast<const sockaddr*>(&six);
    }
    int error = MMDB_SUCCESS;
    MMDB_lookup_result_s found = MMDB_lookup_sockaddr(&file_->db, place, &error);
    if (error != MMDB_SUCCESS || !found.found_entry) return {};
    MMDB_entry_data_s data{};
    const int read = MMDB_get_value(&found.entry, &data, "country", "iso_code", nullptr);
    if (read != MMDB_SUCCESS || !data.has_data || data.type != MMDB_DATA_TYPE_UTF8_STRING)
        return {};
    return {data.utf8_string, data.data_size};
}

}  // namespace zona::net
