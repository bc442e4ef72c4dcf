#!/usr/bin/perl
# Writes a country database in the format of MaxMind: countries.pl FILE NETWORK COUNTRY [NETWORK COUNTRY]...
use strict;
use warnings;
use MaxMind::DB::Writer::Tree;

my ($file, %countries) = @ARGV;
my %types = (country => 'map', iso_code => 'utf8_string');
my $tree = MaxMind::DB::Writer::Tree->new(
    ip_version => 6, record_size => 24, database_type => 'zona-test-Country', languages => ['en'],
    description => {en => 'networks of a test'}, alias_ipv6_to_ipv4 => 1, remove_reserved_networks => 0,
    map_key_type_callback => sub { $types{$_[0]} });
$tree->insert_network($_, {country => {iso_code => $countries{$_}}}) for keys %countries;
open my $out, '>:raw', $file or die "$file: $!";
$tree->write_tree($out);
close $out or die "$file: $!";
