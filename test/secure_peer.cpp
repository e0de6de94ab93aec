// Copyright 2026 The wm_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// Write or read one DDS topic with the keys of one enclave, for test_dds_security.py.
//
//   secure_peer write|read DOMAIN TOPIC NAME [ENCLAVE_DIRECTORY]
//
// A writer says NAME twenty times a second, a reader prints "heard NAME" for each new name. Both
// print "ready" once their endpoint exists, and end when standard input does. Exit code 3: no
// participant (keys or permissions are not valid); 4: this enclave may not use this topic.

#include <chrono>
#include <cstring>
#include <functional>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include <poll.h>
#include <unistd.h>

#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/dds/topic/TopicDataType.hpp>
#include <fastdds/dds/topic/TypeSupport.hpp>
#include <fastdds/rtps/transport/UDPv4TransportDescriptor.h>

using namespace eprosima::fastdds::dds;
using eprosima::fastrtps::rtps::InstanceHandle_t;
using eprosima::fastrtps::rtps::SerializedPayload_t;
using eprosima::fastrtps::types::ReturnCode_t;

// A name of at most 64 characters; both ends are this program, so there is no CDR to respect.
struct NameType : TopicDataType
{
  static constexpr uint32_t kSize = 64;
  NameType() { setName("wm_ros_test::Name"); m_typeSize = kSize + 4; m_isGetKeyDefined = false; }
  bool serialize(void * data, SerializedPayload_t * payload) override
  {
    std::memset(payload->data, 0, kSize + 4);
    payload->data[1] = 1;
    std::strncpy(
      reinterpret_cast<char *>(payload->data) + 4,
      static_cast<std::string *>(data)->c_str(), kSize - 1);
    payload->length = kSize + 4;
    return true;
  }
  bool deserialize(SerializedPayload_t * payload, void * data) override
  {
    if (payload->length < kSize + 4) {return false;}
    *static_cast<std::string *>(data) = reinterpret_cast<char *>(payload->data) + 4;
    return true;
  }
  std::function<uint32_t()> getSerializedSizeProvider(void *) override
  {
    return [] {return kSize + 4;};
  }
  void * createData() override {return new std::string;}
  void deleteData(void * data) override {delete static_cast<std::string *>(data);}
  bool getKey(void *, InstanceHandle_t *, bool) override {return false;}
};

static void add_keys(DomainParticipantQos & qos, const std::string & directory)
{
  const std::string files = "file://" + directory + "/";
  const std::string auth = "dds.sec.auth.builtin.PKI-DH.";
  const std::string access = "dds.sec.access.builtin.Access-Permissions.";
  auto add = [&](const std::string & key, const std::string & value) {
      qos.properties().properties().emplace_back(key, value);
    };
  add("dds.sec.auth.plugin", "builtin.PKI-DH");
  add(auth + "identity_ca", files + "identity_ca.cert.pem");
  add(auth + "identity_certificate", files + "cert.pem");
  add(auth + "private_key", files + "key.pem");
  add("dds.sec.crypto.plugin", "builtin.AES-GCM-GMAC");
  add("dds.sec.access.plugin", "builtin.Access-Permissions");
  add(access + "permissions_ca", files + "permissions_ca.cert.pem");
  add(access + "governance", files + "governance.p7s");
  add(access + "permissions", files + "permissions.p7s");
}

static bool is_wanted()
{
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  pollfd input{STDIN_FILENO, POLLIN, 0};
  char ignored[16];
  return poll(&input, 1, 0) == 0 || read(STDIN_FILENO, ignored, sizeof(ignored)) > 0;
}

int main(int argc, char ** argv)
{
  if (argc < 5) {return 2;}
  const bool writes = std::string(argv[1]) == "write";
  std::string name = argv[4];
  DomainParticipantQos participant_qos;
  // Not over shared memory: another version of Fast DDS on this host may lay it out differently.
  participant_qos.transport().use_builtin_transports = false;
  participant_qos.transport().user_transports.push_back(
    std::make_shared<eprosima::fastdds::rtps::UDPv4TransportDescriptor>());
  if (argc > 5) {add_keys(participant_qos, argv[5]);}
  auto * participant = DomainParticipantFactory::get_instance()->create_participant(
    std::stoi(argv[2]), participant_qos);
  if (participant == nullptr) {return 3;}
  TypeSupport type(new NameType);
  type.register_type(participant);
  auto * topic = participant->create_topic(argv[3], type.get_type_name(), TOPIC_QOS_DEFAULT);
  if (topic == nullptr) {return 4;}
  DataWriter * writer = nullptr;
  DataReader * reader = nullptr;
  if (writes) {
    DataWriterQos qos;
    qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
    writer = participant->create_publisher(PUBLISHER_QOS_DEFAULT)->create_datawriter(topic, qos);
  } else {
    DataReaderQos qos;
    qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
    reader =
      participant->create_subscriber(SUBSCRIBER_QOS_DEFAULT)->create_datareader(topic, qos);
  }
  if (writer == nullptr && reader == nullptr) {return 4;}
  std::cout << "ready" << std::endl;
  std::set<std::string> heard;
  while (is_wanted()) {
    if (writer != nullptr) {writer->write(&name); continue;}
    std::string said;
    SampleInfo info;
    while (reader->take_next_sample(&said, &info) == ReturnCode_t::RETCODE_OK) {
      if (info.valid_data && heard.insert(said).second) {
        std::cout << "heard " << said << std::endl;
      }
    }
  }
  // The process ends here and takes its entities along.
  std::cout.flush();
  _exit(0);
}
