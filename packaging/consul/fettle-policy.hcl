# What fettle needs in Consul with access lists:
#   consul acl policy create -name fettle -rules @fettle-policy.hcl
#   consul acl token create -description fettle -policy-name fettle    # the SecretID goes into /etc/fettle/consul.token
# Leave out what you do not configure.

# consul_sd_configs and the probe type consul
service_prefix "" { policy = "read" }
node_prefix "" { policy = "read" }
agent_prefix "" { policy = "read" }

# consul_kv_configs
key_prefix "shop/targets/" { policy = "read" }

# traffic: {consul: …}, a line for each service
service "order" { policy = "write" }

# fleet: {consul: …}
key_prefix "fettle/fleet/" { policy = "write" }
session_prefix "" { policy = "write" }
