/** Imported before anything that opens the driver: one that stands in for a GPU has four then. */
process.env['TENSORKV_STAND_IN_DEVICES'] ??= '4';
