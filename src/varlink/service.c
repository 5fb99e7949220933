/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.varlink.service, which every service has. */
#include "varlink/connection.h"

static const char description[] =
        "# What every Varlink service tells about itself.\n"
        "interface org.varlink.service\n"
        "\n"
        "# Who made the service, which it is, and the interfaces that it has.\n"
        "method GetInfo() -> (\n"
        "  vendor: string,\n"
        "  product: string,\n"
        "  version: string,\n"
        "  url: string,\n"
        "  interfaces: []string\n"
        ")\n"
        "\n"
        "# The description of an interface, as text in the language of this one.\n"
        "method GetInterfaceDescription(interface: string) -> (description: string)\n"
        "\n"
        "# The service has no such interface.\n"
        "error InterfaceNotFound (interface: string)\n"
        "\n"
        "# The interface has no such method.\n"
        "error MethodNotFound (method: string)\n"
        "\n"
        "# The interface has the method, but this service can't do it, or not as it was asked to.\n"
        "error MethodNotImplemented (method: string)\n"
        "\n"
        "# A parameter is unknown, missing, of the wrong type or out of its range.\n"
        "error InvalidParameter (parameter: string)\n"
        "\n"
        "# The client may not call this method.\n"
        "error PermissionDenied ()\n"
        "\n"
        "# The method must be called with `more`.\n"
        "error ExpectedMore ()\n";

static int get_info(VarlinkCall *call, _unused_ const JsonValue *parameters, void *userdata)
{
        const VarlinkServer *server = userdata;
        JsonWriter *w = varlink_call_begin(call);

        json_key(w, "vendor");
        json_string(w, server->info.vendor);
        json_key(w, "product");
        json_string(w, server->info.product);
        json_key(w, "version");
        json_string(w, server->info.version);
        json_key(w, "url");
        json_string(w, server->info.url);
        json_key(w, "interfaces");
        json_begin_array(w);
        for (size_t i = 0; i < server->n_interfaces; i++)
                json_string(w, server->interfaces[i].name);
        json_end_array(w);
        return varlink_call_end(call, false);
}

static int get_interface_description(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        const JsonValue *name = json_get(parameters, "interface");
        const ServedInterface *interface = varlink_server_find_interface(userdata, name->string, name->n);
        JsonWriter *w;

        if (!interface)
                return varlink_call_error(call, VARLINK_INTERFACE_NOT_FOUND, "interface", name->string);
        w = varlink_call_begin(call);
        json_key(w, "description");
        json_string(w, varlink_interface_text(interface->description));
        return varlink_call_end(call, false);
}

int varlink_service_add(VarlinkServer *server)
{
        static const VarlinkMethod methods[] = {
                { "org.varlink.service.GetInfo", get_info, 0 },
                { "org.varlink.service.GetInterfaceDescription", get_interface_description, 0 },
                {},
        };

        return varlink_server_add_interface(server, description, methods, server);
}
