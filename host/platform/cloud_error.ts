// Errors of the cloud API, in its two shapes.

/** A business failure: HTTP 200 with Success false, Code and ErrorMessage. */
export class CloudError extends Error {
  /** code  e.g. iot.firmware.FirmwareNotFound; message  one line. */
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** A request the gateway refuses: HTTP 4xx with Code and Message. */
export class GatewayError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}
